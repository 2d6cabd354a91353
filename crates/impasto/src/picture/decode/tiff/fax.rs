//! CCITT fax codes of two colours: ITU-T T.4 in one and two dimensions, T.6, and the rows of TIFF's
//! compression 2, which are those of T.4 in whole bytes. The codes are those of the crate `fax`.

use fax::BitReader;
use fax::maps::{Mode, black, mode, white};

/// How rows are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Coding {
    /// One dimension, rows in whole bytes without end-of-line codes (TIFF 6.0, section 10).
    Rows,
    /// T.4: each row after an end-of-line code, which in two dimensions tells its kind.
    Group3 { two_dimensional: bool },
    /// T.6: two dimensions throughout.
    Group4,
}

/// Bits of bytes, whose number is known.
struct Bits<'a> {
    data: &'a [u8],
    /// In bits.
    at: usize,
}

impl BitReader for Bits<'_> {
    type Error = ();

    /// Zeros follow the end.
    fn peek(&self, count: u8) -> Option<u16> {
        let byte = |i: usize| u32::from(self.data.get(self.at / 8 + i).copied().unwrap_or(0));
        let bits = byte(0) << 24 | byte(1) << 16 | byte(2) << 8;
        Some(((bits << (self.at % 8)) >> (32 - u32::from(count))) as u16)
    }

    fn consume(&mut self, count: u8) -> Result<(), ()> {
        self.at += usize::from(count);
        if self.at > 8 * self.data.len() {
            Err(())
        } else {
            Ok(())
        }
    }

    fn bits_to_byte_boundary(&self) -> u8 {
        ((8 - self.at % 8) % 8) as u8
    }
}

/// Rows in whole bytes, a bit for each pixel, 1 for black; None if one is missing or damaged.
pub(super) fn decode(data: &[u8], coding: Coding, width: usize, rows: usize) -> Option<Vec<u8>> {
    let mut bits = Bits { data, at: 0 };
    let row_bytes = width.div_ceil(8);
    let mut out = vec![0u8; row_bytes * rows];
    // Where the colour changes in the row before, an empty row of white at first.
    let mut reference: Vec<usize> = Vec::new();
    for row in out.chunks_exact_mut(row_bytes) {
        let one_dimension = match coding {
            Coding::Rows => {
                bits.at = bits.at.next_multiple_of(8);
                true
            }
            Coding::Group3 { two_dimensional } => {
                skip_end_of_line(&mut bits);
                if two_dimensional {
                    let kind = bits.peek(1)?;
                    bits.consume(1).ok()?;
                    kind == 1
                } else {
                    true
                }
            }
            Coding::Group4 => false,
        };
        let changes = if one_dimension {
            runs(&mut bits, width)?
        } else {
            differences(&mut bits, &reference, width)?
        };
        for pair in changes.chunks(2) {
            let end = pair.get(1).copied().unwrap_or(width);
            (pair[0]..end).for_each(|x| row[x / 8] |= 0x80 >> (x % 8));
        }
        reference = changes;
    }
    Some(out)
}

/// Past an end-of-line code (eleven zeros or more, and a one), if one is next.
fn skip_end_of_line(bits: &mut Bits) {
    if bits.peek(11) != Some(0) {
        return;
    }
    let total = 8 * bits.data.len();
    while bits.at < total && bits.peek(1) == Some(0) {
        bits.at += 1;
    }
    bits.at += 1;
}

/// The length of a run: make-up codes, and a terminating one.
fn run(bits: &mut Bits, is_black: bool) -> Option<usize> {
    let mut length = 0;
    loop {
        let part = if is_black {
            black::decode(bits)?
        } else {
            white::decode(bits)?
        };
        length += usize::from(part);
        if part < 64 {
            return Some(length);
        }
    }
}

/// A row as runs of white and black in turn: where the colour changes.
fn runs(bits: &mut Bits, width: usize) -> Option<Vec<usize>> {
    let mut changes = Vec::new();
    let (mut x, mut is_black) = (0, false);
    while x < width {
        x += run(bits, is_black)?;
        if x > width {
            return None;
        }
        if x < width {
            changes.push(x);
        }
        is_black = !is_black;
    }
    Some(normal(changes))
}

/// A row as differences from the row before (T.4, 4.2; T.6, 2.2).
fn differences(bits: &mut Bits, reference: &[usize], width: usize) -> Option<Vec<usize>> {
    let mut changes = Vec::new();
    let (mut x, mut is_black, mut start) = (0, false, true);
    while x < width {
        // The first change to the right of x towards the other colour, and the one after it.
        let first = reference
            .iter()
            .enumerate()
            .find(|&(i, &at)| (at > x || start && at == 0) && (i % 2 == 1) == is_black)
            .map(|(i, _)| i);
        let at = |i: Option<usize>| i.and_then(|i| reference.get(i)).copied().unwrap_or(width);
        let (b1, b2) = (at(first), at(first.map(|i| i + 1)));
        match mode::decode(bits)? {
            Mode::Pass => x = b2,
            Mode::Horizontal => {
                for colour in [is_black, !is_black] {
                    x += run(bits, colour)?;
                    if x > width {
                        return None;
                    }
                    changes.push(x);
                }
            }
            Mode::Vertical(offset) => {
                let next = b1.checked_add_signed(offset.into())?;
                if next > width || next < x {
                    return None;
                }
                x = next;
                changes.push(x);
                is_black = !is_black;
            }
            Mode::Extension | Mode::EOF => return None,
        }
        start = false;
    }
    Some(normal(
        changes.into_iter().filter(|&at| at < width).collect(),
    ))
}

/// Changes without the runs of no length, which change nothing.
fn normal(changes: Vec<usize>) -> Vec<usize> {
    let mut normal: Vec<usize> = Vec::with_capacity(changes.len());
    for at in changes {
        if normal.last() == Some(&at) {
            normal.pop();
        } else {
            normal.push(at);
        }
    }
    normal
}
