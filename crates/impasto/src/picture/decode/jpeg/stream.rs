//! The segments of a JPEG (ITU-T T.81, Annex B) and the quantised coefficients of its scans.
//!
//! Whether a picture is whole is known here alone: an end marker may follow half of the blocks, and
//! may be missing after all of them. Damage inside a scan costs the blocks up to the next restart.

use super::huffman::Table;
use super::scan::{Coder, Scan, decode, skip_to_marker};

/// Where the k-th coefficient of a block in zigzag order is in the block (T.81, figure A.6).
pub(super) const ZIGZAG: [u8; 64] = [
    0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5, 12, 19, 26, 33, 40, 48, 41, 34, 27, 20,
    13, 6, 7, 14, 21, 28, 35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51, 58, 59,
    52, 45, 38, 31, 39, 46, 53, 60, 61, 54, 47, 55, 62, 63,
];

/// Why a stream cannot be read at all.
pub(super) enum Refusal {
    /// A kind of JPEG that is valid, and not read here.
    Unsupported(&'static str),
    /// What is wrong with it.
    Damaged(String),
}

pub(super) fn damaged<T>(what: impl Into<String>) -> Result<T, Refusal> {
    Err(Refusal::Damaged(what.into()))
}

/// How the coefficients are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Process {
    pub(super) progressive: bool,
    pub(super) arithmetic: bool,
    /// Bits of a sample, 8 or 12.
    pub(super) precision: u8,
}

/// One of the planes, with its coefficients.
pub(super) struct Component {
    pub(super) id: u8,
    /// Samples across and down in a minimum coded unit, in blocks.
    pub(super) sampling: (usize, usize),
    /// Samples across and down.
    pub(super) size: (usize, usize),
    /// Blocks across and down, of whole minimum coded units.
    pub(super) blocks: (usize, usize),
    /// Quantised, `[blocks down, blocks across, 64]`, each block row by row.
    pub(super) coefficients: Vec<i16>,
    /// Steps of the coefficients, row by row.
    pub(super) quantisation: Option<[u16; 64]>,
    table: u8,
    /// For each coefficient in zigzag order, how many of its lowest bits are still unknown;
    /// -1 if it was never in a scan.
    unknown: [i8; 64],
}

/// What there is of the picture.
#[derive(Debug, Default, Clone, Copy, PartialEq)]
pub(super) struct Completeness {
    /// The largest share of blocks that a scan lacks, 0 to 1.
    pub(super) missing: f64,
    /// The data end before the blocks do.
    pub(super) ended: bool,
    /// Data are left over after the blocks of a scan: something before them was read wrongly.
    pub(super) surplus: bool,
    /// Some scans of a progressive picture are missing, so that it lacks detail.
    pub(super) coarse: bool,
    /// The end marker is there.
    pub(super) closed: bool,
}

/// All that a JPEG file says.
pub(super) struct Jpeg {
    pub(super) width: usize,
    pub(super) height: usize,
    pub(super) process: Process,
    pub(super) components: Vec<Component>,
    pub(super) completeness: Completeness,
    pub(super) exif: Option<Vec<u8>>,
    pub(super) icc: Option<Vec<u8>>,
    /// The transform that an APP14 segment of Adobe names: 0 none, 1 YCbCr, 2 YCCK.
    pub(super) adobe: Option<u8>,
}

impl Jpeg {
    /// The largest sampling factors.
    pub(super) fn largest(&self) -> (usize, usize) {
        largest(&self.components)
    }
}

pub(super) fn largest(components: &[Component]) -> (usize, usize) {
    let across = components.iter().map(|c| c.sampling.0).max();
    let down = components.iter().map(|c| c.sampling.1).max();
    (across.unwrap_or(1), down.unwrap_or(1))
}

/// Tables as they are when a scan begins.
pub(super) struct Tables {
    quantisation: [Option<[u16; 64]>; 4],
    pub(super) dc: [Option<Table>; 4],
    pub(super) ac: [Option<Table>; 4],
    /// Conditioning of arithmetic codes: lower and upper bound for DC, the threshold for AC.
    pub(super) conditioning: ([(u8, u8); 4], [u8; 4]),
    restart_interval: usize,
}

impl Default for Tables {
    fn default() -> Tables {
        Tables {
            quantisation: [None; 4],
            dc: Default::default(),
            ac: Default::default(),
            conditioning: ([(0, 1); 4], [5; 4]),
            restart_interval: 0,
        }
    }
}

/// Reads the whole of a file. `accept` is asked about the size before coefficients are allocated.
pub(super) fn read<E: From<Refusal>>(
    bytes: &[u8],
    accept: impl Fn(usize, usize) -> Result<(), E>,
) -> Result<Jpeg, E> {
    let mut reader = Reader {
        bytes,
        at: 2,
        tables: Tables::default(),
        jpeg: None,
        exif: None,
        icc: Vec::new(),
        adobe: None,
        scans: 0,
    };
    while let Some(marker) = reader.next_marker() {
        match marker {
            // Stand alone: TEM, and restarts that no scan waited for.
            0x01 | 0xd0..=0xd8 => {}
            0xd9 => {
                if let Some(jpeg) = &mut reader.jpeg {
                    jpeg.completeness.closed = true;
                }
                break;
            }
            _ => {
                let Some(segment) = reader.segment() else {
                    break;
                };
                if let 0xc0..=0xc3 | 0xc5..=0xc7 | 0xc9..=0xcb | 0xcd..=0xcf = marker {
                    let mut jpeg = reader.header(marker, segment)?;
                    accept(jpeg.width, jpeg.height)?;
                    for component in &mut jpeg.components {
                        let blocks = component.blocks.0 * component.blocks.1;
                        component.coefficients = vec![0; 64 * blocks];
                    }
                    reader.jpeg = Some(jpeg);
                } else {
                    reader.apply(marker, segment)?;
                }
            }
        }
    }
    Ok(reader.finish()?)
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    tables: Tables,
    jpeg: Option<Jpeg>,
    exif: Option<Vec<u8>>,
    /// Numbered parts of a profile.
    icc: Vec<(u8, &'a [u8])>,
    adobe: Option<u8>,
    scans: usize,
}

impl<'a> Reader<'a> {
    /// The next marker, past whatever is in front of it.
    fn next_marker(&mut self) -> Option<u8> {
        loop {
            let rest = self.bytes.get(self.at..)?;
            self.at += rest.iter().position(|&byte| byte == 0xff)?;
            match *self.bytes.get(self.at + 1)? {
                0xff => self.at += 1,
                0 => self.at += 2,
                marker => {
                    self.at += 2;
                    return Some(marker);
                }
            }
        }
    }

    /// The content of the segment that begins here.
    fn segment(&mut self) -> Option<&'a [u8]> {
        let length = self.bytes.get(self.at..)?.first_chunk()?;
        let length = usize::from(u16::from_be_bytes(*length));
        let segment = self.bytes.get(self.at + 2..self.at + length.max(2))?;
        self.at += length.max(2);
        Some(segment)
    }

    fn apply(&mut self, marker: u8, segment: &'a [u8]) -> Result<(), Refusal> {
        match marker {
            0xc4 => self.huffman_tables(segment),
            0xcc => {
                for &[number, value] in segment.as_chunks().0 {
                    let slot = usize::from(number & 3);
                    if number >> 4 == 0 {
                        self.tables.conditioning.0[slot] = (value & 15, value >> 4);
                    } else {
                        self.tables.conditioning.1[slot] = value;
                    }
                }
                Ok(())
            }
            0xf7 => Err(Refusal::Unsupported("JPEG-LS")),
            0xda => self.scan(segment),
            0xdb => self.quantisation(segment),
            0xdd => {
                let interval = segment.first_chunk().copied().unwrap_or_default();
                self.tables.restart_interval = usize::from(u16::from_be_bytes(interval));
                Ok(())
            }
            0xe1 => {
                if let Some(exif) = segment.strip_prefix(b"Exif\0\0") {
                    self.exif.get_or_insert_with(|| exif.to_vec());
                }
                Ok(())
            }
            0xe2 => {
                let part = segment.strip_prefix(b"ICC_PROFILE\0");
                if let Some((&[number, _], part)) = part.and_then(<[u8]>::split_first_chunk) {
                    self.icc.push((number, part));
                }
                Ok(())
            }
            0xee => {
                if segment.starts_with(b"Adobe") {
                    self.adobe = segment.get(11).copied().or(self.adobe);
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn quantisation(&mut self, mut segment: &[u8]) -> Result<(), Refusal> {
        while let Some((&head, rest)) = segment.split_first() {
            let wide = head >> 4 != 0;
            let length = if wide { 128 } else { 64 };
            let Some((values, rest)) = rest.split_at_checked(length) else {
                return damaged("a quantisation table is cut short");
            };
            let mut table = [0; 64];
            for k in 0..64 {
                table[usize::from(ZIGZAG[k])] = if wide {
                    u16::from_be_bytes([values[2 * k], values[2 * k + 1]])
                } else {
                    values[k].into()
                };
            }
            self.tables.quantisation[usize::from(head & 3)] = Some(table);
            segment = rest;
        }
        Ok(())
    }

    fn huffman_tables(&mut self, mut segment: &[u8]) -> Result<(), Refusal> {
        while let Some((&head, rest)) = segment.split_first() {
            let Some((counts, rest)) = rest.split_first_chunk::<16>() else {
                return damaged("a Huffman table is cut short");
            };
            let symbols = counts.iter().map(|&count| usize::from(count)).sum();
            let Some((symbols, rest)) = rest.split_at_checked(symbols) else {
                return damaged("a Huffman table is cut short");
            };
            let Some(table) = Table::new(counts, symbols) else {
                return damaged("a Huffman table has more codes than there can be");
            };
            let tables = if head >> 4 == 0 {
                &mut self.tables.dc
            } else {
                &mut self.tables.ac
            };
            tables[usize::from(head & 3)] = Some(table);
            segment = rest;
        }
        Ok(())
    }

    /// The frame header (T.81, B.2.2).
    fn header(&self, marker: u8, segment: &[u8]) -> Result<Jpeg, Refusal> {
        if self.jpeg.is_some() {
            return Err(Refusal::Unsupported("several frames"));
        }
        match marker {
            0xc3 | 0xcb => return Err(Refusal::Unsupported("lossless JPEG")),
            0xc5..=0xc7 | 0xcd..=0xcf => return Err(Refusal::Unsupported("hierarchical JPEG")),
            _ => {}
        }
        let Some((&[precision, h0, h1, w0, w1, count], rest)) = segment.split_first_chunk() else {
            return damaged("its frame header is cut short");
        };
        if precision != 8 && precision != 12 {
            return Err(Refusal::Unsupported("samples of neither 8 nor 12 bits"));
        }
        let (mut height, width) = (
            usize::from(u16::from_be_bytes([h0, h1])),
            usize::from(u16::from_be_bytes([w0, w1])),
        );
        if height == 0 {
            height = self.defined_lines().unwrap_or(0);
        }
        let rows = rest.as_chunks::<3>().0;
        if width == 0 || height == 0 || count == 0 || rows.len() < count.into() {
            return damaged("its frame header makes no sense");
        }
        if count > 4 {
            return Err(Refusal::Unsupported("more than four colours"));
        }
        let mut components: Vec<Component> = rows[..count.into()]
            .iter()
            .map(|&[id, sampling, table]| Component {
                id,
                sampling: ((sampling >> 4).into(), (sampling & 15).into()),
                size: (0, 0),
                blocks: (0, 0),
                coefficients: Vec::new(),
                quantisation: None,
                table: table & 3,
                unknown: [-1; 64],
            })
            .collect();
        let valid = |factor: usize| (1..=4).contains(&factor);
        if !components
            .iter()
            .all(|c| valid(c.sampling.0) && valid(c.sampling.1))
        {
            return damaged("its sampling factors make no sense");
        }
        if let [only] = components.as_mut_slice() {
            // A single component is never interleaved, whatever its factors say.
            only.sampling = (1, 1);
        }
        let (across, down) = largest(&components);
        let units = (width.div_ceil(8 * across), height.div_ceil(8 * down));
        for component in &mut components {
            let (h, v) = component.sampling;
            component.size = ((width * h).div_ceil(across), (height * v).div_ceil(down));
            component.blocks = (units.0 * h, units.1 * v);
        }
        Ok(Jpeg {
            width,
            height,
            process: Process {
                progressive: matches!(marker, 0xc2 | 0xca),
                arithmetic: marker >= 0xc9,
                precision,
            },
            components,
            completeness: Completeness::default(),
            exif: None,
            icc: None,
            adobe: None,
        })
    }

    /// The number of lines that follows the first scan where the header does not say it (B.2.5).
    fn defined_lines(&self) -> Option<usize> {
        let rest = self.bytes.get(self.at..)?;
        let at = rest.windows(4).position(|w| w == [0xff, 0xdc, 0, 4])?;
        let lines = rest.get(at + 4..)?.first_chunk()?;
        Some(u16::from_be_bytes(*lines).into())
    }

    fn scan(&mut self, segment: &[u8]) -> Result<(), Refusal> {
        let Some(jpeg) = &mut self.jpeg else {
            return damaged("a scan comes before the frame header");
        };
        let scan = match Scan::parse(segment, jpeg) {
            Some(scan) => scan,
            None => return damaged("the header of a scan makes no sense"),
        };
        self.scans += 1;
        for &(index, ..) in &scan.components {
            let component = &mut jpeg.components[index];
            let table = self.tables.quantisation[usize::from(component.table)];
            component.quantisation = component.quantisation.or(table);
        }
        let data = self.bytes.get(self.at..).unwrap_or_default();
        let mut coder = Coder::new(jpeg.process, &scan, &self.tables, data)?;
        let outcome = decode(jpeg, &scan, self.tables.restart_interval, &mut coder);
        let (end, next) = (coder.position(), skip_to_marker(data, coder.position()));
        self.at += next;
        // A decoder may look a few bytes ahead, never behind.
        jpeg.completeness.surplus |= next > end + 2;
        jpeg.completeness.missing = jpeg.completeness.missing.max(outcome.missing);
        jpeg.completeness.ended |= outcome.ended;
        for &(index, ..) in &scan.components {
            let unknown = &mut jpeg.components[index].unknown[scan.band.0..=scan.band.1];
            unknown.fill(scan.low as i8);
        }
        Ok(())
    }

    fn finish(self) -> Result<Jpeg, Refusal> {
        let Some(mut jpeg) = self.jpeg else {
            return damaged("its header is missing");
        };
        jpeg.completeness.coarse = jpeg
            .components
            .iter()
            .any(|component| component.unknown.iter().any(|&bits| bits != 0));
        let lacks_all = |component: &Component| component.unknown[0] < 0;
        if self.scans == 0 || jpeg.components.iter().any(lacks_all) {
            jpeg.completeness.missing = 1.0;
            jpeg.completeness.ended = true;
        }
        jpeg.exif = self.exif;
        jpeg.adobe = self.adobe;
        let mut parts = self.icc;
        parts.sort_by_key(|(number, _)| *number);
        if !parts.is_empty() {
            jpeg.icc = Some(
                parts
                    .into_iter()
                    .flat_map(|(_, part)| part)
                    .copied()
                    .collect(),
            );
        }
        Ok(jpeg)
    }
}
