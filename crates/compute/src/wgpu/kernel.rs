//! Compute shaders: their text, put together from pieces, and what they are given.
//!
//! A kernel is a section of a `.wgsl` file, from a line `//# name` to the next; what stands before the first such line
//! belongs to all of them. Around it come constants, the accessors of its operands, and what kernels share.
//!
//! An operand may lie in several buffers, because a binding has a greatest size ([`Array`]). Its accessors hide that:
//! a kernel calls `get_x(i)` and `set_x(i, value)`, which for one buffer are plain reads and writes; numbers that lie there in
//! 16 bits are f32 to the kernel. An operand that is left out reads as zero.

use super::memory::Array;
use std::fmt::Write;

/// What kernels share: the place of a workgroup in a grid that is folded where a dimension is too short, and sums over
/// a workgroup of 256.
const SHARED: &str = include_str!("kernel.wgsl");

/// What the elements of an operand are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Element {
    F32,
    U32,
}

/// What a kernel does to an operand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    Read,
    Write,
}

/// One operand of a kernel.
#[derive(Clone, Copy, Debug)]
pub(super) struct Slot {
    name: &'static str,
    element: Element,
    access: Access,
}

/// Numbers that are read.
pub(super) const fn reads(name: &'static str) -> Slot {
    Slot {
        name,
        element: Element::F32,
        access: Access::Read,
    }
}

/// Numbers that are written, and may be read.
pub(super) const fn writes(name: &'static str) -> Slot {
    Slot {
        name,
        element: Element::F32,
        access: Access::Write,
    }
}

/// Bits that are read.
pub(super) const fn reads_bits(name: &'static str) -> Slot {
    Slot {
        name,
        element: Element::U32,
        access: Access::Read,
    }
}

/// Bits that are written.
pub(super) const fn writes_bits(name: &'static str) -> Slot {
    Slot {
        name,
        element: Element::U32,
        access: Access::Write,
    }
}

/// A kernel as text.
#[derive(Debug)]
pub(super) struct Kernel {
    /// Its section.
    pub(super) name: &'static str,
    /// Its file.
    pub(super) file: &'static str,
    /// Its operands, in the order in which they are given.
    pub(super) operands: &'static [Slot],
}

/// A kernel, its operands and how many workgroups of it run.
pub(super) struct Launch<'a> {
    pub(super) kernel: &'a Kernel,
    /// Constants of the shader.
    pub(super) constants: &'a [(&'static str, u32)],
    /// Text behind the kernel's own, with a name by which it is told apart; asked for once per pipeline.
    pub(super) more: Option<(&'a str, &'a dyn Fn() -> String)>,
    /// One for each slot of the kernel; `None` for what is left out.
    pub(super) operands: &'a [Option<&'a Array>],
    /// The fields of the kernel's `Params`.
    pub(super) params: &'a [Param],
    /// Workgroups, and how many times over.
    pub(super) groups: usize,
    pub(super) batches: usize,
}

/// One field of a kernel's `Params`.
#[derive(Clone, Copy, Debug)]
pub(super) enum Param {
    U(usize),
    I(isize),
    F(f32),
}

impl Param {
    pub(super) fn bits(self) -> u32 {
        match self {
            Param::U(value) => u32::try_from(value).unwrap_or(u32::MAX),
            Param::I(value) => i32::try_from(value).unwrap_or(i32::MAX).cast_unsigned(),
            Param::F(value) => value.to_bits(),
        }
    }
}

/// An operand as the pipeline sees it: its slot, and in how many buffers it lies.
pub(super) fn bindings<'a>(
    launch: &'a Launch<'_>,
) -> impl Iterator<Item = (Slot, Option<&'a Array>)> {
    launch
        .kernel
        .operands
        .iter()
        .copied()
        .zip(launch.operands.iter().copied())
}

impl Slot {
    pub(super) fn read_only(&self) -> bool {
        self.access == Access::Read
    }
}

impl Launch<'_> {
    /// What tells this pipeline from others.
    pub(super) fn key(&self) -> String {
        let mut key = String::from(self.kernel.name);
        if let Some((name, _)) = self.more {
            key.push(' ');
            key.push_str(name);
        }
        for (name, value) in self.constants {
            let _ = write!(key, " {name}={value}");
        }
        for array in self.operands {
            let _ = write!(key, ",{}", array.map_or(0, |array| array.pieces().len()));
            if array.is_some_and(Array::is_half) {
                key.push('h');
            }
        }
        key
    }

    /// The text of the shader. Pieces of operands have `1 << shift` elements.
    pub(super) fn source(&self, shift: u32) -> String {
        let mut text = String::with_capacity(8192);
        for (name, value) in self.constants {
            let _ = writeln!(text, "const {name} = {value}u;");
        }
        text.push_str(SHARED);
        let mut binding = 1;
        for (slot, array) in bindings(self) {
            slot.declare(&mut text, &mut binding, array, shift);
        }
        text.push_str(section(self.kernel.file, ""));
        text.push_str(section(self.kernel.file, self.kernel.name));
        if let Some((_, more)) = self.more {
            text.push_str(&more());
        }
        extended(text)
    }
}

/// A shader with the extensions of the language that it uses, which have to be named before all else.
fn extended(text: String) -> String {
    let mut enabled = String::new();
    for (used, extension) in [("f16", "f16"), ("coop_mat", "wgpu_cooperative_matrix")] {
        if text.contains(used) {
            let _ = writeln!(enabled, "enable {extension};");
        }
    }
    enabled + &text
}

impl Slot {
    /// Writes the variables and accessors of an operand.
    fn declare(&self, text: &mut String, binding: &mut u32, array: Option<&Array>, shift: u32) {
        let name = self.name;
        let pieces = array.map_or(0, |array| array.pieces().len());
        let half = array.is_some_and(Array::is_half);
        // What the kernel sees, and what lies there.
        let (kind, zero) = match self.element {
            Element::F32 => ("f32", "0.0"),
            Element::U32 => ("u32", "0u"),
        };
        let (kept, shift) = match half {
            true => ("f16", shift + 1),
            false => (kind, shift),
        };
        let access = match self.access {
            Access::Read => "read",
            Access::Write => "read_write",
        };
        for piece in 0..pieces {
            let _ = writeln!(
                text,
                "@group(0) @binding({binding}) var<storage, {access}> {name}_{piece}: array<{kept}>;"
            );
            *binding += 1;
        }
        let mask = (1u32 << shift) - 1;
        let spread = |each: &dyn Fn(usize, &str) -> String| match pieces {
            1 => each(0, "i"),
            _ => {
                let mut text = format!("switch (i >> {shift}u) {{ ");
                for piece in 1..pieces {
                    let _ = write!(
                        text,
                        "case {piece}u: {{ {} }} ",
                        each(piece, &format!("i & {mask}u"))
                    );
                }
                let _ = write!(
                    text,
                    "default: {{ {} }} }}",
                    each(0, &format!("i & {mask}u"))
                );
                text
            }
        };
        let _ = match pieces {
            0 => writeln!(text, "fn get_{name}(i: u32) -> {kind} {{ return {zero}; }}"),
            _ => {
                let body = spread(&|piece, at| format!("value = {kind}({name}_{piece}[{at}]);"));
                writeln!(
                    text,
                    "fn get_{name}(i: u32) -> {kind} {{ var value: {kind}; {body} return value; }}"
                )
            }
        };
        if self.access == Access::Write {
            let body = match pieces {
                0 => String::new(),
                _ => spread(&|piece, at| format!("{name}_{piece}[{at}] = {kept}(value);")),
            };
            let _ = writeln!(text, "fn set_{name}(i: u32, value: {kind}) {{ {body} }}");
        }
    }
}

/// A section of a file; the empty name is what stands before the first.
fn section(file: &'static str, name: &str) -> &'static str {
    let mut start = (name.is_empty()).then_some(0);
    let mut at = 0;
    for line in file.split_inclusive('\n') {
        if let Some(title) = line.strip_prefix("//# ") {
            if let Some(start) = start {
                return &file[start..at];
            }
            if title.trim() == name {
                start = Some(at + line.len());
            }
        }
        at += line.len();
    }
    start.map_or("", |start| &file[start..])
}

#[cfg(test)]
mod tests {
    use super::section;

    #[test]
    fn sections_are_cut_at_their_names() {
        let file = "all\n//# one\n1\n11\n//# two\n2\n";
        assert_eq!(section(file, ""), "all\n");
        assert_eq!(section(file, "one"), "1\n11\n");
        assert_eq!(section(file, "two"), "2\n");
        assert_eq!(section(file, "three"), "");
    }
}
