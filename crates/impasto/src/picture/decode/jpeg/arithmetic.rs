//! Coefficients in arithmetic codes, sequential and progressive (ITU-T T.81, Annex D, F.2.4 and
//! G.2.3).

use super::scan::{Fault, Scan, skip_to_marker};
use super::stream::{Tables, ZIGZAG};

/// States of the probability estimate: the probability of the less likely symbol, the state after
/// it and after the likely one, and whether the less likely symbol becomes the likely one (T.81,
/// table D.3). The last state is that of even chances, which never changes.
#[rustfmt::skip]
const STATES: [(u16, u8, u8, bool); 114] = [
    (0x5a1d, 1, 1, true), (0x2586, 14, 2, false), (0x1114, 16, 3, false), (0x080b, 18, 4, false),
    (0x03d8, 20, 5, false), (0x01da, 23, 6, false), (0x00e5, 25, 7, false), (0x006f, 28, 8, false),
    (0x0036, 30, 9, false), (0x001a, 33, 10, false), (0x000d, 35, 11, false), (0x0006, 9, 12, false),
    (0x0003, 10, 13, false), (0x0001, 12, 13, false), (0x5a7f, 15, 15, true), (0x3f25, 36, 16, false),
    (0x2cf2, 38, 17, false), (0x207c, 39, 18, false), (0x17b9, 40, 19, false), (0x1182, 42, 20, false),
    (0x0cef, 43, 21, false), (0x09a1, 45, 22, false), (0x072f, 46, 23, false), (0x055c, 48, 24, false),
    (0x0406, 49, 25, false), (0x0303, 51, 26, false), (0x0240, 52, 27, false), (0x01b1, 54, 28, false),
    (0x0144, 56, 29, false), (0x00f5, 57, 30, false), (0x00b7, 59, 31, false), (0x008a, 60, 32, false),
    (0x0068, 62, 33, false), (0x004e, 63, 34, false), (0x003b, 32, 35, false), (0x002c, 33, 9, false),
    (0x5ae1, 37, 37, true), (0x484c, 64, 38, false), (0x3a0d, 65, 39, false), (0x2ef1, 67, 40, false),
    (0x261f, 68, 41, false), (0x1f33, 69, 42, false), (0x19a8, 70, 43, false), (0x1518, 72, 44, false),
    (0x1177, 73, 45, false), (0x0e74, 74, 46, false), (0x0bfb, 75, 47, false), (0x09f8, 77, 48, false),
    (0x0861, 78, 49, false), (0x0706, 79, 50, false), (0x05cd, 48, 51, false), (0x04de, 50, 52, false),
    (0x040f, 50, 53, false), (0x0363, 51, 54, false), (0x02d4, 52, 55, false), (0x025c, 53, 56, false),
    (0x01f8, 54, 57, false), (0x01a4, 55, 58, false), (0x0160, 56, 59, false), (0x0125, 57, 60, false),
    (0x00f6, 58, 61, false), (0x00cb, 59, 62, false), (0x00ab, 61, 63, false), (0x008f, 61, 32, false),
    (0x5b12, 65, 65, true), (0x4d04, 80, 66, false), (0x412c, 81, 67, false), (0x37d8, 82, 68, false),
    (0x2fe8, 83, 69, false), (0x293c, 84, 70, false), (0x2379, 86, 71, false), (0x1edf, 87, 72, false),
    (0x1aa9, 87, 73, false), (0x174e, 72, 74, false), (0x1424, 72, 75, false), (0x119c, 74, 76, false),
    (0x0f6b, 74, 77, false), (0x0d51, 75, 78, false), (0x0bb6, 77, 79, false), (0x0a40, 77, 48, false),
    (0x5832, 80, 81, true), (0x4d1c, 88, 82, false), (0x438e, 89, 83, false), (0x3bdd, 90, 84, false),
    (0x34ee, 91, 85, false), (0x2eae, 92, 86, false), (0x299a, 93, 87, false), (0x2516, 86, 71, false),
    (0x5570, 88, 89, true), (0x4ca9, 95, 90, false), (0x44d9, 96, 91, false), (0x3e22, 97, 92, false),
    (0x3824, 99, 93, false), (0x32b4, 99, 94, false), (0x2e17, 93, 86, false), (0x56a8, 95, 96, true),
    (0x4f46, 101, 97, false), (0x47e5, 102, 98, false), (0x41cf, 103, 99, false), (0x3c3d, 104, 100, false),
    (0x375e, 99, 93, false), (0x5231, 105, 102, false), (0x4c0f, 106, 103, false), (0x4639, 107, 104, false),
    (0x415e, 103, 99, false), (0x5627, 105, 106, true), (0x50e7, 108, 107, false), (0x4b85, 109, 103, false),
    (0x5597, 110, 109, false), (0x504f, 111, 107, false), (0x5a10, 110, 111, true), (0x5522, 112, 109, false),
    (0x59eb, 112, 111, true), (0x5a1d, 113, 113, false),
];

/// The state of even chances.
const EVEN: u8 = 113;

/// An encoder leaves out the zeros at its end. What the register holds is of two bytes; more zeros
/// than this many are no luck any more.
const ZEROS: usize = 4;

/// A bin: the state, and the likely symbol in the highest bit.
type Bin = u8;

/// The decoder of binary decisions.
struct Decisions<'a> {
    data: &'a [u8],
    at: usize,
    code: u64,
    interval: u64,
    /// Bits of the code below the interval; negative while the first bytes are read.
    count: i32,
    /// Bytes that were taken to be zero, after the end.
    zeros: usize,
}

impl<'a> Decisions<'a> {
    fn new(data: &'a [u8], at: usize) -> Decisions<'a> {
        Decisions {
            data,
            at,
            code: 0,
            interval: 0,
            count: -16,
            zeros: 0,
        }
    }

    fn byte(&mut self) -> u8 {
        match (self.data.get(self.at), self.data.get(self.at + 1)) {
            (Some(0xff), Some(0)) => {
                self.at += 2;
                0xff
            }
            (Some(0xff) | None, _) => {
                self.zeros += 1;
                0
            }
            (Some(&byte), _) => {
                self.at += 1;
                byte
            }
        }
    }

    fn decide(&mut self, bin: &mut Bin) -> bool {
        while self.interval < 0x8000 {
            self.count -= 1;
            if self.count < 0 {
                self.code = self.code << 8 | u64::from(self.byte());
                self.count += 8;
                if self.count < 0 {
                    self.count += 1;
                    if self.count == 0 {
                        self.interval = 0x8000;
                    }
                }
            }
            self.interval <<= 1;
        }
        let likely = *bin & 0x80;
        let (probability, after_unlikely, after_likely, switch) = STATES[usize::from(*bin & 0x7f)];
        let after_unlikely = (likely ^ (u8::from(switch) << 7)) | after_unlikely;
        let after_likely = likely | after_likely;
        let probability = u64::from(probability);
        self.interval -= probability;
        let upper = self.interval << self.count;
        let is_likely = if self.code >= upper {
            self.code -= upper;
            let exchanged = self.interval < probability;
            self.interval = probability;
            exchanged
        } else if self.interval < 0x8000 {
            self.interval >= probability
        } else {
            return likely != 0;
        };
        *bin = if is_likely {
            after_likely
        } else {
            after_unlikely
        };
        (likely != 0) == is_likely
    }
}

/// Decodes the blocks of one scan.
pub(super) struct Arithmetic<'a> {
    decisions: Decisions<'a>,
    progressive: bool,
    /// The bounds of DC and the threshold of AC, by the numbers of tables.
    conditioning: ([(u8, u8); 4], [u8; 4]),
    dc_bins: [[Bin; 64]; 4],
    ac_bins: [[Bin; 256]; 4],
    /// For each component of the scan the last DC value, and the class of its last difference.
    dc: Vec<(i32, usize)>,
}

impl<'a> Arithmetic<'a> {
    pub(super) fn new(
        progressive: bool,
        scan: &Scan,
        tables: &Tables,
        data: &'a [u8],
    ) -> Arithmetic<'a> {
        Arithmetic {
            decisions: Decisions::new(data, 0),
            progressive,
            conditioning: tables.conditioning,
            dc_bins: [[0; 64]; 4],
            ac_bins: [[0; 256]; 4],
            dc: vec![(0, 0); scan.components.len()],
        }
    }

    pub(super) fn position(&self) -> usize {
        self.decisions.at
    }

    pub(super) fn restart(&mut self) -> Option<u8> {
        let data = self.decisions.data;
        let at = skip_to_marker(data, self.decisions.at);
        let marker = *data.get(at + 1)?;
        self.decisions.at = at;
        if !(0xd0..=0xd7).contains(&marker) {
            return None;
        }
        self.decisions = Decisions::new(data, at + 2);
        self.dc_bins = [[0; 64]; 4];
        self.ac_bins = [[0; 256]; 4];
        self.dc.fill((0, 0));
        Some(marker & 7)
    }

    pub(super) fn block(
        &mut self,
        scan: &Scan,
        slot: usize,
        block: &mut [i16; 64],
    ) -> Result<(), Fault> {
        if self.decisions.zeros > ZEROS {
            return Err(Fault::Ended);
        }
        match (self.progressive, scan.band.0 == 0, scan.high == 0) {
            (false, ..) => {
                self.dc(scan, slot, block)?;
                self.ac(scan, slot, block)
            }
            (true, true, true) => self.dc(scan, slot, block),
            (true, true, false) => {
                if self.decisions.decide(&mut { EVEN }) {
                    block[0] |= 1 << scan.low;
                }
                Ok(())
            }
            (true, false, true) => self.ac(scan, slot, block),
            (true, false, false) => self.refine(scan, slot, block),
        }
    }

    /// T.81, figures F.19 to F.24, with the bins of table F.4.
    fn dc(&mut self, scan: &Scan, slot: usize, block: &mut [i16; 64]) -> Result<(), Fault> {
        let table = usize::from(scan.components[slot].1);
        let (lower, upper) = self.conditioning.0[table];
        let bins = &mut self.dc_bins[table];
        let decisions = &mut self.decisions;
        let (last, class) = &mut self.dc[slot];
        let start = *class;
        if decisions.decide(&mut bins[start]) {
            let negative = decisions.decide(&mut bins[start + 1]);
            let mut bin = start + 2 + usize::from(negative);
            let mut magnitude = i32::from(decisions.decide(&mut bins[bin]));
            if magnitude != 0 {
                bin = 20;
                (magnitude, bin) = magnitude_class(decisions, bins, magnitude, bin)?;
            }
            *class = if magnitude < (1 << lower) >> 1 {
                0
            } else if magnitude > (1 << upper) >> 1 {
                12 + 4 * usize::from(negative)
            } else {
                4 + 4 * usize::from(negative)
            };
            let difference = value(decisions, &mut bins[bin + 14], magnitude, negative);
            *last = last.wrapping_add(difference);
        } else {
            *class = 0;
        }
        block[0] = (*last << scan.low) as i16;
        Ok(())
    }

    /// T.81, figures F.20 to F.24, with the bins of table F.5.
    fn ac(&mut self, scan: &Scan, slot: usize, block: &mut [i16; 64]) -> Result<(), Fault> {
        let table = usize::from(scan.components[slot].2);
        let threshold = usize::from(self.conditioning.1[table]);
        let bins = &mut self.ac_bins[table];
        let decisions = &mut self.decisions;
        let mut k = scan.band.0.max(1);
        while k <= scan.band.1 {
            if decisions.decide(&mut bins[3 * (k - 1)]) {
                break;
            }
            while !decisions.decide(&mut bins[3 * (k - 1) + 1]) {
                k += 1;
                if k > scan.band.1 {
                    return Err(Fault::Bad);
                }
            }
            let negative = decisions.decide(&mut { EVEN });
            let mut bin = 3 * (k - 1) + 2;
            let mut magnitude = i32::from(decisions.decide(&mut bins[bin]));
            if magnitude != 0 && decisions.decide(&mut bins[bin]) {
                bin = if k <= threshold { 189 } else { 217 };
                (magnitude, bin) = magnitude_class(decisions, bins, 2, bin)?;
            }
            let value = value(decisions, &mut bins[bin + 14], magnitude, negative);
            block[usize::from(ZIGZAG[k])] = (value << scan.low) as i16;
            k += 1;
        }
        Ok(())
    }

    /// One more bit of the coefficients of a band (T.81, figure G.10).
    fn refine(&mut self, scan: &Scan, slot: usize, block: &mut [i16; 64]) -> Result<(), Fault> {
        let bins = &mut self.ac_bins[usize::from(scan.components[slot].2)];
        let decisions = &mut self.decisions;
        let bit = 1i16 << scan.low;
        let known = (1..=scan.band.1).rev();
        let end = known
            .into_iter()
            .find(|&k| block[usize::from(ZIGZAG[k])] != 0)
            .unwrap_or(0);
        let mut k = scan.band.0;
        while k <= scan.band.1 {
            if k > end && decisions.decide(&mut bins[3 * (k - 1)]) {
                break;
            }
            loop {
                let value = &mut block[usize::from(ZIGZAG[k])];
                let bin = 3 * (k - 1);
                if *value != 0 {
                    if decisions.decide(&mut bins[bin + 2]) {
                        *value = value.wrapping_add(if *value < 0 { -bit } else { bit });
                    }
                    break;
                }
                if decisions.decide(&mut bins[bin + 1]) {
                    *value = if decisions.decide(&mut { EVEN }) {
                        -bit
                    } else {
                        bit
                    };
                    break;
                }
                k += 1;
                if k > scan.band.1 {
                    return Err(Fault::Bad);
                }
            }
            k += 1;
        }
        Ok(())
    }
}

/// The power of two that a magnitude reaches, and the bin that said so (T.81, figure F.23).
fn magnitude_class(
    decisions: &mut Decisions,
    bins: &mut [Bin],
    mut magnitude: i32,
    mut bin: usize,
) -> Result<(i32, usize), Fault> {
    while decisions.decide(&mut bins[bin]) {
        magnitude <<= 1;
        if magnitude == 0x8000 {
            return Err(Fault::Bad);
        }
        bin += 1;
    }
    Ok((magnitude, bin))
}

/// The lower bits of a magnitude, and its sign (T.81, figure F.24).
fn value(decisions: &mut Decisions, bin: &mut Bin, magnitude: i32, negative: bool) -> i32 {
    let (mut value, mut bit) = (magnitude, magnitude >> 1);
    while bit > 0 {
        if decisions.decide(bin) {
            value |= bit;
        }
        bit >>= 1;
    }
    if negative { -(value + 1) } else { value + 1 }
}
