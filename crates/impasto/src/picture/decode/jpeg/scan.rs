//! The blocks of one scan in their order, and what is missing of them (ITU-T T.81, A.2 and E.2).

use super::arithmetic::Arithmetic;
use super::huffman::Huffman;
use super::stream::{Completeness, Jpeg, Process, Refusal, Tables, damaged, largest};

/// Why the data of a scan stop making sense.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// They end, or a marker follows, before the blocks do.
    Ended,
    /// No code begins with the bits that are there, or a code leads out of its block.
    Bad,
}

/// A scan's parameters (T.81, B.2.3).
pub(super) struct Scan {
    /// Index of each component, and the numbers of its tables for DC and AC.
    pub(super) components: Vec<(usize, u8, u8)>,
    /// First and last coefficient, in zigzag order.
    pub(super) band: (usize, usize),
    /// The bit before which coefficients are known already, 0 if none is.
    pub(super) high: u8,
    /// The lowest bit that this scan brings.
    pub(super) low: u8,
}

impl Scan {
    pub(super) fn parse(segment: &[u8], jpeg: &Jpeg) -> Option<Scan> {
        let (&count, rest) = segment.split_first()?;
        let (pairs, rest) = rest.split_at_checked(2 * usize::from(count))?;
        let &[first, last, bits] = rest.first_chunk()?;
        let mut components: Vec<(usize, u8, u8)> = Vec::new();
        for &[id, tables] in pairs.as_chunks().0 {
            let index = jpeg.components.iter().position(|c| c.id == id)?;
            if components.iter().any(|&(other, ..)| other == index) {
                return None;
            }
            components.push((index, tables >> 4 & 3, tables & 3));
        }
        if components.is_empty() {
            return None;
        }
        if !jpeg.process.progressive {
            return Some(Scan {
                components,
                band: (0, 63),
                high: 0,
                low: 0,
            });
        }
        let (first, last) = (usize::from(first), usize::from(last));
        let (high, low) = (bits >> 4, bits & 15);
        let dc = first == 0 && last == 0;
        let ac = first >= 1 && first <= last && last <= 63 && components.len() == 1;
        (dc || ac).then_some(())?;
        (low <= 13 && (high == 0 || high == low + 1)).then_some(Scan {
            components,
            band: (first, last),
            high,
            low,
        })
    }
}

/// How the data of a scan become coefficients.
pub(super) enum Coder<'a> {
    Huffman(Huffman<'a>),
    Arithmetic(Box<Arithmetic<'a>>),
}

impl<'a> Coder<'a> {
    pub(super) fn new(
        process: Process,
        scan: &Scan,
        tables: &'a Tables,
        data: &'a [u8],
    ) -> Result<Coder<'a>, Refusal> {
        if process.arithmetic {
            let coder = Arithmetic::new(process.progressive, scan, tables, data);
            return Ok(Coder::Arithmetic(Box::new(coder)));
        }
        match Huffman::new(process.progressive, scan, tables, data) {
            Some(coder) => Ok(Coder::Huffman(coder)),
            None => damaged("a scan uses a Huffman table that is missing"),
        }
    }

    /// Decodes the next block, of the scan's component number `slot`.
    fn block(&mut self, scan: &Scan, slot: usize, block: &mut [i16; 64]) -> Result<(), Fault> {
        match self {
            Coder::Huffman(coder) => coder.block(scan, slot, block),
            Coder::Arithmetic(coder) => coder.block(scan, slot, block),
        }
    }

    /// Goes on after the next marker, if that is a restart: its number.
    fn restart(&mut self) -> Option<u8> {
        match self {
            Coder::Huffman(coder) => coder.restart(),
            Coder::Arithmetic(coder) => coder.restart(),
        }
    }

    /// Where in the data the next marker is at the earliest.
    pub(super) fn position(&self) -> usize {
        match self {
            Coder::Huffman(coder) => coder.position(),
            Coder::Arithmetic(coder) => coder.position(),
        }
    }
}

/// Past the data of a scan to its next marker.
pub(super) fn skip_to_marker(data: &[u8], mut at: usize) -> usize {
    while let Some(&[first, second]) = data.get(at..).and_then(<[u8]>::first_chunk) {
        if first == 0xff && second != 0 && second != 0xff {
            return at;
        }
        at += 1;
    }
    data.len()
}

/// Decodes a scan with restarts every `interval` units (none if 0), and says what it lacks.
pub(super) fn decode(
    jpeg: &mut Jpeg,
    scan: &Scan,
    interval: usize,
    coder: &mut Coder,
) -> Completeness {
    let (across, down) = largest(&jpeg.components);
    let alone = scan.components.len() == 1;
    let units = if alone {
        let size = jpeg.components[scan.components[0].0].size;
        (size.0.div_ceil(8), size.1.div_ceil(8))
    } else {
        (
            jpeg.width.div_ceil(8 * across),
            jpeg.height.div_ceil(8 * down),
        )
    };
    let total = units.0 * units.1;
    let interval = if interval == 0 { total } else { interval };
    let (mut done, mut decoded, mut ended) = (0, 0, false);
    let mut expected = 0u8;
    while done < total {
        let end = total.min(done + interval);
        let mut fault = None;
        for unit in done..end {
            let (x, y) = (unit % units.0, unit / units.0);
            match decode_unit(jpeg, scan, coder, (x, y), alone) {
                Ok(()) => decoded += 1,
                Err(found) => {
                    fault = Some(found);
                    break;
                }
            }
        }
        done = end;
        if done == total {
            ended |= fault == Some(Fault::Ended);
            break;
        }
        match coder.restart() {
            None => {
                ended = true;
                break;
            }
            Some(number) => {
                // A restart that is a few numbers ahead says how many are missing before it.
                let ahead = usize::from(number.wrapping_sub(expected) & 7);
                if ahead < 4 {
                    done += ahead * interval;
                }
                expected = number.wrapping_add(1) & 7;
            }
        }
    }
    Completeness {
        missing: 1.0 - decoded as f64 / total as f64,
        ended: ended && decoded < total,
        ..Completeness::default()
    }
}

/// The blocks of one minimum coded unit.
fn decode_unit(
    jpeg: &mut Jpeg,
    scan: &Scan,
    coder: &mut Coder,
    (x, y): (usize, usize),
    alone: bool,
) -> Result<(), Fault> {
    for (slot, &(index, ..)) in scan.components.iter().enumerate() {
        let component = &mut jpeg.components[index];
        let (h, v) = if alone { (1, 1) } else { component.sampling };
        for row in y * v..(y + 1) * v {
            for column in x * h..(x + 1) * h {
                let at = 64 * (row * component.blocks.0 + column);
                let block = component.coefficients[at..]
                    .first_chunk_mut()
                    .ok_or(Fault::Bad)?;
                coder.block(scan, slot, block)?;
            }
        }
    }
    Ok(())
}
