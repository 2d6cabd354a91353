//! The stack machine whose program a pickle is.

use super::{Global, Id, MAX_NODES, Node, Pickle, Stop, global};
use crate::problem::Problem;
use std::collections::BTreeMap;

struct Machine<'b> {
    bytes: &'b [u8],
    at: usize,
    nodes: Vec<Node>,
    stack: Vec<Id>,
    /// Heights of the stack.
    marks: Vec<usize>,
    memo: BTreeMap<u32, Id>,
}

type Step<T> = Result<T, Stop>;

/// Runs the pickle at the start of `bytes`.
pub(super) fn run(bytes: &[u8]) -> Step<Pickle> {
    let mut machine = Machine::new(bytes);
    let root = loop {
        if let Some(root) = machine.step()? {
            break root;
        }
    };
    Ok(Pickle {
        nodes: machine.nodes,
        root,
        length: machine.at,
    })
}

fn damaged(problem: &str) -> Stop {
    Stop::Problem(Problem::damaged(format!("its pickle {problem}")))
}

impl<'b> Machine<'b> {
    fn new(bytes: &'b [u8]) -> Self {
        Self {
            bytes,
            at: 0,
            nodes: vec![],
            stack: vec![],
            marks: vec![],
            memo: BTreeMap::new(),
        }
    }

    fn take(&mut self, count: usize) -> Step<&'b [u8]> {
        let end = self.at.checked_add(count).ok_or(Stop::Cut)?;
        let bytes = self.bytes.get(self.at..end).ok_or(Stop::Cut)?;
        self.at = end;
        Ok(bytes)
    }

    fn number<const N: usize>(&mut self) -> Step<u64> {
        let mut bytes = [0; 8];
        bytes[..N].copy_from_slice(self.take(N)?);
        Ok(u64::from_le_bytes(bytes))
    }

    /// A text behind its length of `N` bytes. Python 2 wrote names as bytes; those that are no text are replaced.
    fn text<const N: usize>(&mut self) -> Step<String> {
        let length = self.number::<N>()?;
        let bytes = self.take(usize::try_from(length).unwrap_or(usize::MAX))?;
        Ok(String::from_utf8_lossy(bytes).into_owned())
    }

    fn line(&mut self) -> Step<&'b str> {
        let rest = &self.bytes[self.at..];
        let end = rest.iter().position(|&b| b == b'\n').ok_or(Stop::Cut)?;
        self.at += end + 1;
        std::str::from_utf8(&rest[..end]).map_err(|_| damaged("imports a name that is no text"))
    }

    fn push(&mut self, node: Node) -> Step<()> {
        if self.nodes.len() >= MAX_NODES {
            return Err(Stop::Problem(Problem::TooLarge {
                what: "the number of objects in its pickle".into(),
                size: self.nodes.len() as u64 + 1,
                limit: MAX_NODES as u64,
            }));
        }
        self.stack.push(self.nodes.len() as Id);
        self.nodes.push(node);
        Ok(())
    }

    fn pop(&mut self) -> Step<Id> {
        // What lies below the last mark is not this operation's.
        if self.stack.len() <= self.marks.last().copied().unwrap_or(0) {
            return Err(damaged("takes more than it put"));
        }
        self.stack
            .pop()
            .ok_or_else(|| damaged("takes more than it put"))
    }

    fn pop_mark(&mut self) -> Step<Vec<Id>> {
        let mark = self
            .marks
            .pop()
            .ok_or_else(|| damaged("ends a list that it did not begin"))?;
        Ok(self.stack.split_off(mark.min(self.stack.len())))
    }

    fn tuple(&mut self, count: usize) -> Step<()> {
        let mut items = vec![0; count];
        for item in items.iter_mut().rev() {
            *item = self.pop()?;
        }
        self.push(Node::Tuple(items.into()))
    }

    fn top(&mut self) -> Step<&mut Node> {
        let id = self.pop()?;
        self.stack.push(id);
        Ok(&mut self.nodes[id as usize])
    }

    fn remember(&mut self, key: u32) -> Step<()> {
        let id = self.pop()?;
        self.stack.push(id);
        self.memo.insert(key, id);
        Ok(())
    }

    fn recall(&mut self, key: u32) -> Step<()> {
        let id = self.memo.get(&key);
        let id = id.ok_or_else(|| damaged("recalls what it did not remember"))?;
        self.stack.push(*id);
        Ok(())
    }

    fn extend(&mut self, items: &[Id]) -> Step<()> {
        match self.top()? {
            Node::List(list) => list.extend_from_slice(items),
            _ => return Err(damaged("appends to what is no list")),
        }
        Ok(())
    }

    fn set_items(&mut self, items: &[Id]) -> Step<()> {
        let (pairs, []) = items.as_chunks::<2>() else {
            return Err(damaged("has a key without a value"));
        };
        match self.top()? {
            Node::Dict(dict) => dict.extend(pairs.iter().map(|&[key, value]| (key, value))),
            _ => return Err(damaged("sets an item of what is no dict")),
        }
        Ok(())
    }

    fn call(&mut self, callable: Id, arguments: Id) -> Step<()> {
        let Node::Global(callable) = self.nodes[callable as usize] else {
            return Err(damaged("calls what is no function"));
        };
        let Node::Tuple(items) = &self.nodes[arguments as usize] else {
            return Err(damaged("calls without a tuple of arguments"));
        };
        if callable != Global::OrderedDict {
            return self.push(Node::Call(callable, arguments));
        }
        // Python 3 makes it empty and fills it; Python 2 makes it of a list of pairs.
        let mut dict = vec![];
        if let Some(&list) = items.first() {
            let Node::List(pairs) = &self.nodes[list as usize] else {
                return Err(damaged("makes a dict of what is no list"));
            };
            for &pair in pairs {
                match &self.nodes[pair as usize] {
                    Node::List(pair) if pair.len() == 2 => dict.push((pair[0], pair[1])),
                    Node::Tuple(pair) if pair.len() == 2 => dict.push((pair[0], pair[1])),
                    _ => return Err(damaged("makes a dict of what are no pairs")),
                }
            }
        }
        self.push(Node::Dict(dict))
    }

    /// One opcode; at the end, the object that the pickle is about.
    fn step(&mut self) -> Step<Option<Id>> {
        let opcode = self.take(1)?[0];
        match opcode {
            // PROTO, FRAME
            0x80 => match self.number::<1>()? {
                0..=5 => {}
                other => return Err(damaged(&format!("is of version {other}"))),
            },
            0x95 => drop(self.take(8)?),
            b'.' => return self.pop().map(Some),
            b'(' => self.marks.push(self.stack.len()),
            b'0' => drop(self.pop()?),
            opcode => {
                if !(self.value(opcode)? || self.collection(opcode)? || self.object(opcode)?) {
                    return Err(Stop::Problem(Problem::unsupported(format!(
                        "its pickle uses opcode {opcode:#04x}, which no state dict needs; save the model's state_dict() with PyTorch and use that file"
                    ))));
                }
            }
        }
        Ok(None)
    }

    /// Numbers and texts; whether the opcode is one of them.
    fn value(&mut self, opcode: u8) -> Step<bool> {
        match opcode {
            b'N' => self.push(Node::Nothing)?,
            0x88 => self.push(Node::Bool(true))?,
            0x89 => self.push(Node::Bool(false))?,
            b'J' => {
                let value = self.number::<4>()? as u32 as i32;
                self.push(Node::Int(value.into()))?;
            }
            b'K' => {
                let value = self.number::<1>()?;
                self.push(Node::Int(value as i64))?;
            }
            b'M' => {
                let value = self.number::<2>()?;
                self.push(Node::Int(value as i64))?;
            }
            // LONG1: little-endian two's complement of any length.
            0x8a => {
                let length = self.number::<1>()? as usize;
                let bytes = self.take(length)?;
                let negative = bytes.last().is_some_and(|&byte| byte >= 0x80);
                let mut padded = [if negative { 0xff } else { 0 }; 8];
                self.push(match padded.get_mut(..length) {
                    Some(part) => {
                        part.copy_from_slice(bytes);
                        Node::Int(i64::from_le_bytes(padded))
                    }
                    None => Node::Bytes(bytes.into()),
                })?;
            }
            b'G' => {
                self.take(8)?;
                self.push(Node::Nothing)?;
            }
            // BINUNICODE, SHORT_BINUNICODE, and the byte strings of Python 2
            b'X' | b'T' => {
                let text = self.text::<4>()?;
                self.push(Node::Text(text.into()))?;
            }
            0x8c | b'U' => {
                let text = self.text::<1>()?;
                self.push(Node::Text(text.into()))?;
            }
            b'C' => {
                let length = self.number::<1>()? as usize;
                let bytes = self.take(length)?;
                self.push(Node::Bytes(bytes.into()))?;
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Tuples, lists and dicts; whether the opcode is one of them.
    fn collection(&mut self, opcode: u8) -> Step<bool> {
        match opcode {
            b')' => self.push(Node::Tuple([].into()))?,
            b']' => self.push(Node::List(vec![]))?,
            b'}' => self.push(Node::Dict(vec![]))?,
            0x85 => self.tuple(1)?,
            0x86 => self.tuple(2)?,
            0x87 => self.tuple(3)?,
            b't' => {
                let items = self.pop_mark()?;
                self.push(Node::Tuple(items.into()))?;
            }
            b'a' => {
                let item = self.pop()?;
                self.extend(&[item])?;
            }
            b'e' => {
                let items = self.pop_mark()?;
                self.extend(&items)?;
            }
            b's' => {
                let value = self.pop()?;
                let key = self.pop()?;
                self.set_items(&[key, value])?;
            }
            b'u' => {
                let items = self.pop_mark()?;
                self.set_items(&items)?;
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// What is remembered, named and called; whether the opcode is one of them.
    fn object(&mut self, opcode: u8) -> Step<bool> {
        match opcode {
            // BINPUT, LONG_BINPUT, MEMOIZE, BINGET, LONG_BINGET
            b'q' => {
                let key = self.number::<1>()?;
                self.remember(key as u32)?;
            }
            b'r' => {
                let key = self.number::<4>()?;
                self.remember(key as u32)?;
            }
            0x94 => self.remember(self.memo.len() as u32)?,
            b'h' => {
                let key = self.number::<1>()?;
                self.recall(key as u32)?;
            }
            b'j' => {
                let key = self.number::<4>()?;
                self.recall(key as u32)?;
            }

            // GLOBAL, STACK_GLOBAL
            b'c' => {
                let (module, name) = (self.line()?, self.line()?);
                self.push(Node::Global(global(module, name)?))?;
            }
            0x93 => {
                let (name, module) = (self.pop()?, self.pop()?);
                let (Node::Text(module), Node::Text(name)) =
                    (&self.nodes[module as usize], &self.nodes[name as usize])
                else {
                    return Err(damaged("imports a name that is no text"));
                };
                let global = global(module, name)?;
                self.push(Node::Global(global))?;
            }
            // BINPERSID
            b'Q' => {
                let id = self.pop()?;
                self.push(Node::Persistent(id))?;
            }
            b'R' => {
                let (arguments, callable) = (self.pop()?, self.pop()?);
                self.call(callable, arguments)?;
            }
            // BUILD gives an object further attributes: a state dict's are versions of its modules.
            b'b' => {
                self.pop()?;
                if !matches!(self.top()?, Node::Dict(_)) {
                    return Err(damaged("builds what is no dict"));
                }
            }
            _ => return Ok(false),
        }
        Ok(true)
    }
}
