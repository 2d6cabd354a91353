//! Python's pickles, read as data.
//!
//! A pickle is a program for a stack machine that can call anything Python can import. This machine calls nothing:
//! it knows the opcodes that `torch.save` writes, and the few names that a state dict needs. A call becomes a
//! [`Node::Call`] for the PyTorch reader to understand; any other opcode or name is refused by name.
//!
//! Source: CPython's `pickletools.py`. Objects live in one arena and refer to each other by number, so that neither
//! deep nesting nor cycles cost stack, and memory is bounded by the pickle's own length.

mod machine;

use crate::problem::{Problem, Read};

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
        machine::run(bytes)
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
