//! Coefficients in Huffman codes, sequential and progressive (ITU-T T.81, F.2.2 and G.2).

use super::scan::{Fault, Scan, skip_to_marker};
use super::stream::{Tables, ZIGZAG};

/// Codes of up to this many bits are looked up at once.
const SHORT: u32 = 9;

/// A Huffman table (T.81, Annex C).
pub(super) struct Table {
    /// For every beginning of [`SHORT`] bits the length and symbol of the code, length 0 if it is longer.
    short: Vec<(u8, u8)>,
    /// For each length the first code beyond it, in 16 bits.
    beyond: [u32; 17],
    /// For each length, what a code of it differs from the index of its symbol by.
    offset: [i32; 17],
    symbols: Vec<u8>,
}

impl Table {
    /// None if there are more codes than their lengths allow.
    pub(super) fn new(counts: &[u8; 16], symbols: &[u8]) -> Option<Table> {
        let mut table = Table {
            short: vec![(0, 0); 1 << SHORT],
            beyond: [0; 17],
            offset: [0; 17],
            symbols: symbols.to_vec(),
        };
        let (mut code, mut index) = (0u32, 0usize);
        for length in 1..=16 {
            table.offset[length] = index as i32 - code as i32;
            for _ in 0..counts[length - 1] {
                if code >= 1 << length {
                    return None;
                }
                if length as u32 <= SHORT {
                    let free = SHORT - length as u32;
                    let start = (code << free) as usize;
                    let entry = (length as u8, symbols[index]);
                    table.short[start..start + (1 << free)].fill(entry);
                }
                code += 1;
                index += 1;
            }
            table.beyond[length] = code << (16 - length);
            code <<= 1;
        }
        Some(table)
    }
}

/// Bits of a scan, without the zeros that are stuffed behind each 0xff.
struct Bits<'a> {
    data: &'a [u8],
    at: usize,
    /// The next bits, from the highest down.
    buffer: u64,
    count: u32,
}

impl Bits<'_> {
    fn fill(&mut self) {
        while self.count <= 56 {
            let byte = match self.data.get(self.at) {
                Some(0xff) if self.data.get(self.at + 1) == Some(&0) => {
                    self.at += 1;
                    0xff
                }
                Some(0xff) | None => return,
                Some(&byte) => byte,
            };
            self.at += 1;
            self.buffer |= u64::from(byte) << (56 - self.count);
            self.count += 8;
        }
    }

    fn skip(&mut self, count: u32) -> Result<(), Fault> {
        if count > self.count {
            return Err(Fault::Ended);
        }
        self.buffer <<= count;
        self.count -= count;
        Ok(())
    }

    fn take(&mut self, count: u32) -> Result<u32, Fault> {
        if count == 0 {
            return Ok(0);
        }
        if self.count < count {
            self.fill();
        }
        let bits = (self.buffer >> (64 - count)) as u32;
        self.skip(count)?;
        Ok(bits)
    }

    /// A number of `count` bits whose highest says its sign (T.81, F.12).
    fn signed(&mut self, count: u32) -> Result<i32, Fault> {
        if count == 0 {
            return Ok(0);
        }
        let bits = self.take(count)? as i32;
        Ok(if bits < 1 << (count - 1) {
            bits + 1 - (1 << count)
        } else {
            bits
        })
    }

    fn symbol(&mut self, table: &Table) -> Result<u8, Fault> {
        if self.count < 16 {
            self.fill();
        }
        let (length, symbol) = table.short[(self.buffer >> (64 - SHORT)) as usize];
        if length > 0 {
            self.skip(length.into())?;
            return Ok(symbol);
        }
        let beginning = (self.buffer >> 48) as u32;
        let length = (SHORT as usize + 1..=16).find(|&length| beginning < table.beyond[length]);
        let Some(length) = length else {
            let fault = if self.count < 16 {
                Fault::Ended
            } else {
                Fault::Bad
            };
            return Err(fault);
        };
        self.skip(length as u32)?;
        let index = (beginning >> (16 - length)) as i32 + table.offset[length];
        table.symbols.get(index as usize).copied().ok_or(Fault::Bad)
    }
}

/// Decodes the blocks of one scan.
pub(super) struct Huffman<'a> {
    bits: Bits<'a>,
    progressive: bool,
    /// For each component of the scan its tables for DC and AC.
    tables: Vec<(Option<&'a Table>, Option<&'a Table>)>,
    /// The last DC value of each component.
    dc: Vec<i32>,
    /// Blocks that follow without anything new in this band.
    empty_blocks: u32,
}

impl<'a> Huffman<'a> {
    /// None if a table that the scan needs is not there.
    pub(super) fn new(
        progressive: bool,
        scan: &Scan,
        tables: &'a Tables,
        data: &'a [u8],
    ) -> Option<Huffman<'a>> {
        let with_dc = scan.band.0 == 0 && scan.high == 0;
        let with_ac = scan.band.1 > 0;
        let of_scan = scan.components.iter().map(|&(_, dc, ac)| {
            let (dc, ac) = (&tables.dc[usize::from(dc)], &tables.ac[usize::from(ac)]);
            let there = (dc.is_some() || !with_dc) && (ac.is_some() || !with_ac);
            there.then_some((dc.as_ref(), ac.as_ref()))
        });
        Some(Huffman {
            bits: Bits {
                data,
                at: 0,
                buffer: 0,
                count: 0,
            },
            progressive,
            tables: of_scan.collect::<Option<_>>()?,
            dc: vec![0; scan.components.len()],
            empty_blocks: 0,
        })
    }

    pub(super) fn position(&self) -> usize {
        self.bits.at
    }

    pub(super) fn restart(&mut self) -> Option<u8> {
        let at = skip_to_marker(self.bits.data, self.bits.at);
        let marker = *self.bits.data.get(at + 1)?;
        self.bits.at = at;
        if !(0xd0..=0xd7).contains(&marker) {
            return None;
        }
        self.bits.at = at + 2;
        (self.bits.buffer, self.bits.count) = (0, 0);
        self.dc.fill(0);
        self.empty_blocks = 0;
        Some(marker & 7)
    }

    pub(super) fn block(
        &mut self,
        scan: &Scan,
        slot: usize,
        block: &mut [i16; 64],
    ) -> Result<(), Fault> {
        match (self.progressive, scan.band.0 == 0, scan.high == 0) {
            (false, ..) => {
                self.dc(scan, slot, block)?;
                self.ac(scan, slot, block)
            }
            (true, true, true) => self.dc(scan, slot, block),
            (true, true, false) => {
                block[0] |= (self.bits.take(1)? << scan.low) as i16;
                Ok(())
            }
            (true, false, true) => self.ac(scan, slot, block),
            (true, false, false) => self.refine(scan, slot, block),
        }
    }

    fn dc(&mut self, scan: &Scan, slot: usize, block: &mut [i16; 64]) -> Result<(), Fault> {
        let table = self.tables[slot].0.ok_or(Fault::Bad)?;
        let size = self.bits.symbol(table)?;
        if size > 16 {
            return Err(Fault::Bad);
        }
        let difference = self.bits.signed(size.into())?;
        self.dc[slot] = self.dc[slot].wrapping_add(difference);
        block[0] = (self.dc[slot] << scan.low) as i16;
        Ok(())
    }

    fn ac(&mut self, scan: &Scan, slot: usize, block: &mut [i16; 64]) -> Result<(), Fault> {
        if self.empty_blocks > 0 {
            self.empty_blocks -= 1;
            return Ok(());
        }
        let table = self.tables[slot].1.ok_or(Fault::Bad)?;
        let mut k = scan.band.0.max(1);
        while k <= scan.band.1 {
            let symbol = self.bits.symbol(table)?;
            let (run, size) = (usize::from(symbol >> 4), u32::from(symbol & 15));
            match (run, size) {
                (15, 0) => k += 16,
                (run, 0) => {
                    if self.progressive {
                        self.empty_blocks = (1 << run) - 1 + self.bits.take(run as u32)?;
                    }
                    break;
                }
                (run, size) => {
                    k += run;
                    let value = self.bits.signed(size)?;
                    let place = ZIGZAG.get(k).ok_or(Fault::Bad)?;
                    block[usize::from(*place)] = (value << scan.low) as i16;
                    k += 1;
                }
            }
        }
        Ok(())
    }

    /// One more bit of the coefficients of a band (T.81, G.1.2.3).
    fn refine(&mut self, scan: &Scan, slot: usize, block: &mut [i16; 64]) -> Result<(), Fault> {
        let table = self.tables[slot].1.ok_or(Fault::Bad)?;
        let bit = 1i16 << scan.low;
        let mut k = scan.band.0;
        if self.empty_blocks == 0 {
            while k <= scan.band.1 {
                let symbol = self.bits.symbol(table)?;
                let (run, size) = (u32::from(symbol >> 4), symbol & 15);
                let mut new = 0;
                if size == 0 {
                    if run < 15 {
                        self.empty_blocks = (1 << run) + self.bits.take(run)?;
                        break;
                    }
                } else {
                    new = if self.bits.take(1)? == 1 { bit } else { -bit };
                }
                let mut zeros = run;
                while k <= scan.band.1 {
                    let value = &mut block[usize::from(ZIGZAG[k])];
                    if *value != 0 {
                        correct(&mut self.bits, value, bit)?;
                    } else if zeros == 0 {
                        *value = new;
                        k += 1;
                        break;
                    } else {
                        zeros -= 1;
                    }
                    k += 1;
                }
            }
        }
        if self.empty_blocks > 0 {
            for k in k..=scan.band.1 {
                let value = &mut block[usize::from(ZIGZAG[k])];
                if *value != 0 {
                    correct(&mut self.bits, value, bit)?;
                }
            }
            self.empty_blocks -= 1;
        }
        Ok(())
    }
}

/// A coefficient that is not zero gets its next bit.
fn correct(bits: &mut Bits, value: &mut i16, bit: i16) -> Result<(), Fault> {
    if bits.take(1)? == 1 && *value & bit == 0 {
        *value = value.wrapping_add(if *value >= 0 { bit } else { -bit });
    }
    Ok(())
}
