//! Python's pickles, read as data.
//!
//! A pickle is a program for a stack machine that can call anything Python can import. This machine calls nothing:
//! it knows the opcodes that `torch.save` writes, and the few names that a state dict needs. A call becomes a
//! [`Node::Call`] for the PyTorch reader to understand; any other opcode or name is refused by name.
//!
//! Source: CPython's `pickletools.py`. Objects live in one arena and refer to each other by number, so that neither
//! deep nesting nor cycles cost stack, and memory is bounded by the pickle's own length.

use crate::problem::{Problem, Read};
use std::collections::BTreeMap;

/// Number of an object in the arena.
pub(super) type Id = u32;

/// Greatest number of objects; ten thousand tensors need less.
const MAX_NODES: usize = 1 << 18;

/// A name that a pickle may import.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Global {
    OrderedDict,
    Size,
    RebuildTensor,
    RebuildParameter,
    /// A kind of storage, by its name without `Storage`.
    Storage(&'static str),
}

const GLOBALS: [(&str, &str, Global); 17] = [
    ("collections", "OrderedDict", Global::OrderedDict),
    ("torch", "Size", Global::Size),
    ("torch._utils", "_rebuild_tensor", Global::RebuildTensor),
    ("torch._utils", "_rebuild_tensor_v2", Global::RebuildTensor),
    (
        "torch._utils",
        "_rebuild_parameter",
        Global::RebuildParameter,
    ),
    ("torch", "HalfStorage", Global::Storage("Half")),
    ("torch", "BFloat16Storage", Global::Storage("BFloat16")),
    ("torch", "FloatStorage", Global::Storage("Float")),
    ("torch", "DoubleStorage", Global::Storage("Double")),
    ("torch", "LongStorage", Global::Storage("Long")),
    ("torch", "IntStorage", Global::Storage("Int")),
    ("torch", "ShortStorage", Global::Storage("Short")),
    ("torch", "CharStorage", Global::Storage("Char")),
    ("torch", "ByteStorage", Global::Storage("Byte")),
    ("torch", "BoolStorage", Global::Storage("Bool")),
    ("torch.cuda", "FloatStorage", Global::Storage("Float")),
    ("torch.cuda", "HalfStorage", Global::Storage("Half")),
];

fn global(module: &str, name: &str) -> Read<Global> {
    let known = GLOBALS
        .iter()
        .find(|(known, of, _)| *known == module && *of == name);
    if let Some((_, _, global)) = known {
        return Ok(*global);
    }
    let advice = if module.starts_with("__torch__") || module.starts_with("torch.jit") {
        "it holds a TorchScript program"
    } else {
        "it holds more than tensors"
    };
    Err(Problem::unsupported(format!(
        "{advice} ({module}.{name}), which is never executed; save the model's state_dict() alone with PyTorch and use that file"
    )))
}

/// An object of a pickle.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Node {
    /// None, a number that is not whole, a mark of no interest.
    Nothing,
    Bool(bool),
    Int(i64),
    /// Bytes, and whole numbers beyond 64 bits.
    Bytes(Box<[u8]>),
    Text(Box<str>),
    Tuple(Box<[Id]>),
    List(Vec<Id>),
    Dict(Vec<(Id, Id)>),
    Global(Global),
    /// What the writer stored outside the pickle: the number of the tuple that describes it.
    Persistent(Id),
    /// A call that is not made, with the number of the tuple of its arguments.
    Call(Global, Id),
}

/// The objects of a pickle.
#[derive(Debug)]
pub(super) struct Pickle {
    nodes: Vec<Node>,
    /// The object that the pickle is about.
    pub(super) root: Id,
    /// The number of bytes that it took.
    pub(super) length: usize,
}

/// Why reading stopped.
pub(super) enum Stop {
    /// The bytes ended before the pickle.
    Cut,
    /// The pickle is wrong.
    Problem(Problem),
}

impl From<Problem> for Stop {
    fn from(problem: Problem) -> Self {
        Stop::Problem(problem)
    }
}

impl Pickle {
    /// Reads the pickle at the start of `bytes`.
    pub(super) fn read(bytes: &[u8]) -> Result<Self, Stop> {
        let mut machine = Machine {
            bytes,
            at: 0,
            nodes: vec![],
            stack: vec![],
            marks: vec![],
            memo: BTreeMap::new(),
        };
        let root = loop {
            if let Some(root) = machine.step()? {
                break root;
            }
        };
        Ok(Self {
            nodes: machine.nodes,
            root,
            length: machine.at,
        })
    }

    /// An object.
    pub(super) fn node(&self, id: Id) -> &Node {
        // Numbers come from this arena only; the fallback keeps an impossible one from ending the program.
        self.nodes.get(id as usize).unwrap_or(&Node::Nothing)
    }

    /// The items of a tuple or list.
    pub(super) fn items(&self, id: Id) -> Option<&[Id]> {
        match self.node(id) {
            Node::Tuple(items) => Some(items),
            Node::List(items) => Some(items),
            _ => None,
        }
    }

    /// A text.
    pub(super) fn text(&self, id: Id) -> Option<&str> {
        match self.node(id) {
            Node::Text(text) => Some(text),
            _ => None,
        }
    }

    /// A size: a whole number that is not negative.
    pub(super) fn size(&self, id: Id) -> Option<usize> {
        match self.node(id) {
            Node::Int(value) => usize::try_from(*value).ok(),
            _ => None,
        }
    }

    /// A tuple of sizes.
    pub(super) fn sizes(&self, id: Id) -> Option<Vec<usize>> {
        let id = match self.node(id) {
            Node::Call(Global::Size, arguments) => *self.items(*arguments)?.first()?,
            _ => id,
        };
        self.items(id)?.iter().map(|&id| self.size(id)).collect()
    }
}

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

fn damaged(problem: &str) -> Stop {
    Stop::Problem(Problem::damaged(format!("its pickle {problem}")))
}

impl<'b> Machine<'b> {
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
            other => {
                return Err(Stop::Problem(Problem::unsupported(format!(
                    "its pickle uses opcode {other:#04x}, which no state dict needs; save the model's state_dict() with PyTorch and use that file"
                ))));
            }
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(bytes: &[u8]) -> String {
        match Pickle::read(bytes) {
            Ok(pickle) => format!("{:?}", pickle.node(pickle.root)),
            Err(Stop::Cut) => "cut".into(),
            Err(Stop::Problem(problem)) => format!("{problem:?}"),
        }
    }

    #[test]
    fn numbers_and_texts_are_read() {
        assert_eq!(message(b"\x80\x02K\x07."), "Int(7)");
        assert_eq!(message(b"J\xfe\xff\xff\xff."), "Int(-2)");
        assert_eq!(message(b"\x8a\x01\xff."), "Int(-1)");
        assert_eq!(message(b"\x8a\x00."), "Int(0)");
        assert_eq!(message(b"U\x02ab."), "Text(\"ab\")");
        assert_eq!(message(b"K\x01K\x02\x86."), "Tuple([0, 1])");
    }

    #[test]
    fn nothing_is_called_that_is_not_on_the_list() {
        let refused = message(b"cos\nsystem\n(X\x02\x00\x00\x00lstR.");
        assert!(
            refused.contains("os.system") && refused.contains("state_dict"),
            "{refused}"
        );
        for opcode in [
            b'i', b'o', 0x81, 0x82, 0x92, 0x97, b'P', b'I', b'F', b'S', b'V',
        ] {
            let refused = message(&[opcode, b'\n', b'.']);
            assert!(refused.contains("opcode"), "{opcode:#x}: {refused}");
        }
    }

    #[test]
    fn broken_programs_are_refused() {
        for (bytes, expected) in [
            (&b""[..], "cut"),
            (b"X\xff\xff\xff\xff", "cut"),
            (b".", "takes more"),
            (b"(.", "takes more"),
            (b"K\x01(\x85.", "takes more"),
            (b"t.", "did not begin"),
            (b"h\x00.", "did not remember"),
            (b"K\x01K\x02a.", "no list"),
            (b"}(K\x01u.", "without a value"),
            (b")R.", "takes more"),
            (b"K\x01)R.", "no function"),
            (b"K\x01}b.", "no dict"),
        ] {
            let message = message(bytes);
            assert!(message.contains(expected), "{bytes:?}: {message}");
        }
    }

    #[test]
    fn a_list_of_itself_and_a_million_lists_are_bounded() {
        assert_eq!(message(b"]q\x00h\x00a."), "List([0])");
        let mut bytes = vec![b']'; MAX_NODES + 1];
        bytes.push(b'.');
        assert!(message(&bytes).contains("TooLarge"));
    }
}
