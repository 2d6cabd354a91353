//! One tensor of a file before it is read: its name, shape, and where and how its values lie.

use crate::encoding::Encoding;
use crate::format::{hdf5, zip};
use crate::limits::count;
use crate::problem::{Problem, Read};
use crate::source::Source;
use crate::{TensorInfo, WeightTensor};
use std::io;

/// A tensor that a file declares.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) name: String,
    pub(crate) shape: Vec<usize>,
    pub(crate) encoding: Encoding,
    pub(crate) order: Order,
    pub(crate) place: Place,
}

/// In which order the values lie.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Order {
    /// The last index runs fastest.
    RowMajor,
    /// One step along dimension `i` is `strides[i]` values.
    Strides(Vec<usize>),
}

impl Order {
    /// The order of given strides, or why a tensor cannot have them: two of its values would be one.
    pub(crate) fn of_strides(shape: &[usize], strides: &[usize]) -> Read<Self> {
        if shape.len() != strides.len() {
            return Err(Problem::damaged(format!(
                "shape {shape:?} does not go with strides {strides:?}"
            )));
        }
        if shape.contains(&0) {
            return Ok(Order::RowMajor);
        }
        let mut by_stride: Vec<_> = strides
            .iter()
            .copied()
            .zip(shape.iter().copied())
            .filter(|&(_, side)| side > 1)
            .collect();
        by_stride.sort_unstable();
        let mut reach = 0usize;
        for (stride, side) in by_stride {
            let further = stride.checked_mul(side - 1);
            let Some(further) = further.and_then(|further| further.checked_add(reach)) else {
                return Err(Problem::damaged(format!(
                    "its strides {strides:?} overflow"
                )));
            };
            if stride <= reach {
                return Err(Problem::damaged(format!(
                    "its values overlap: shape {shape:?} with strides {strides:?}"
                )));
            }
            reach = further;
        }
        let mut step = 1;
        let row_major = shape.iter().zip(strides).rev().all(|(&side, &stride)| {
            let fits = side == 1 || stride == step;
            step *= side;
            fits
        });
        Ok(if row_major {
            Order::RowMajor
        } else {
            Order::Strides(strides.to_vec())
        })
    }

    /// How many stored values it takes to hold all of a tensor, gaps included.
    pub(crate) fn span(&self, shape: &[usize]) -> usize {
        match self {
            _ if shape.contains(&0) => 0,
            Order::RowMajor => shape.iter().product(),
            Order::Strides(strides) => {
                let last = shape
                    .iter()
                    .zip(strides)
                    .map(|(side, stride)| (side - 1) * stride);
                1 + last.sum::<usize>()
            }
        }
    }
}

/// Where a tensor's bytes lie.
#[derive(Clone, Debug)]
pub(crate) enum Place {
    /// In the file, from this offset on.
    Stored(u64),
    /// In a member of a zip archive, after `skip` of its bytes.
    Zipped { member: zip::Member, skip: u64 },
    /// In chunks of an HDF5 file.
    Chunked(hdf5::Chunked),
}

impl Entry {
    /// The number of its values; its shape has been checked.
    pub(crate) fn count(&self) -> u64 {
        count(&self.shape).unwrap_or(0) as u64
    }

    /// What is known of it without reading it.
    pub(crate) fn info(&self) -> TensorInfo<'_> {
        TensorInfo {
            name: &self.name,
            shape: &self.shape,
            dtype: self.encoding.name(),
        }
    }

    /// Reads its values as row-major `f32` and refuses those that are not finite.
    pub(crate) fn read(&self, source: &Source<'_>) -> Read<WeightTensor> {
        let values = self.stored_values(source)?;
        if let Some(position) = first_not_finite(&values) {
            return Err(Problem::NotFinite {
                tensor: self.name.clone(),
                value: values[position],
                position,
            });
        }
        let values = match &self.order {
            Order::RowMajor => values,
            Order::Strides(strides) => gather(&values, &self.shape, strides)?,
        };
        Ok(WeightTensor {
            shape: self.shape.clone(),
            values,
        })
    }

    /// Its values in the order in which they are stored, gaps included.
    pub(crate) fn stored_values(&self, source: &Source<'_>) -> Read<Vec<f32>> {
        let values = self.decoded(source);
        values.map_err(|problem| problem.in_tensor(&self.name))
    }

    fn decoded(&self, source: &Source<'_>) -> Read<Vec<f32>> {
        let Some(width) = self.encoding.width() else {
            return Err(Problem::unsupported(format!(
                "values of type {} cannot be read, only f16, bf16, f32 and f64",
                self.encoding.name()
            )));
        };
        let span = self.order.span(&self.shape);
        let size = span as u64 * width as u64;
        match &self.place {
            Place::Stored(offset) => {
                let mut reader = source.reader(*offset, size)?;
                decode(&mut reader, &self.encoding, width, span)
                    .map_err(|error| reader.problem(error))
            }
            Place::Zipped { member, skip } => member.read(source, *skip, size, |reader| {
                decode(reader, &self.encoding, width, span)
            }),
            Place::Chunked(chunked) => {
                let bytes = chunked.read(source, &self.shape, width)?;
                decode(&mut bytes.as_slice(), &self.encoding, width, span).map_err(Problem::Io)
            }
        }
    }
}

/// Reserves memory for `count` values, or says that there is not enough.
pub(crate) fn reserve<T>(count: usize) -> io::Result<Vec<T>> {
    let mut values = Vec::new();
    values
        .try_reserve_exact(count)
        .map_err(|_| io::Error::from(io::ErrorKind::OutOfMemory))?;
    Ok(values)
}

/// Reads `count` values block by block, so that the bytes never lie in memory beside the values.
fn decode(
    reader: &mut dyn io::Read,
    encoding: &Encoding,
    width: usize,
    count: usize,
) -> io::Result<Vec<f32>> {
    const BLOCK: usize = 1 << 17;
    let mut values = reserve(count)?;
    let mut block = vec![0; BLOCK.min(count * width)];
    let mut left = count * width;
    while left > 0 {
        let block = &mut block[..BLOCK.min(left)];
        reader.read_exact(block)?;
        encoding.decode(block, &mut values);
        left -= block.len();
    }
    Ok(values)
}

/// The position of the first NaN or infinity.
fn first_not_finite(values: &[f32]) -> Option<usize> {
    // Whole blocks first, without a way out, so that the compiler can use vectors.
    const BLOCK: usize = 4096;
    let block = values.chunks(BLOCK).position(|block| {
        !block
            .iter()
            .fold(true, |all, value| all & value.is_finite())
    })?;
    let inside = values[block * BLOCK..]
        .iter()
        .position(|value| !value.is_finite())?;
    Some(block * BLOCK + inside)
}

/// Values at `strides` in row-major order.
fn gather(values: &[f32], shape: &[usize], strides: &[usize]) -> Read<Vec<f32>> {
    let mut gathered = reserve(count(shape).unwrap_or(0))?;
    let (Some((&inner, outer)), Some((&step, outer_strides))) =
        (shape.split_last(), strides.split_last())
    else {
        gathered.extend(values.first());
        return Ok(gathered);
    };
    let mut index = vec![0; outer.len()];
    'rows: loop {
        let start: usize = index.iter().zip(outer_strides).map(|(i, s)| i * s).sum();
        gathered.extend((0..inner).filter_map(|i| values.get(start + i * step)));
        for dimension in (0..outer.len()).rev() {
            index[dimension] += 1;
            if index[dimension] < outer[dimension] {
                continue 'rows;
            }
            index[dimension] = 0;
        }
        return Ok(gathered);
    }
}

/// Refuses tensors whose bytes overlap: a small file would grow without bound, and no honest writer does it.
/// `places` are (begin, end, name); tensors that are wholly the same place are allowed where `shared` says so.
pub(crate) fn refuse_overlaps(mut places: Vec<(u64, u64, &str)>, shared: bool) -> Read<()> {
    places.retain(|(begin, end, _)| begin < end);
    places.sort_unstable();
    for pair in places.windows(2) {
        let [(begin, end, first), (next, next_end, second)] = [pair[0], pair[1]];
        let same = shared && begin == next && end == next_end;
        if next < end && !same {
            return Err(Problem::damaged(format!(
                "tensors {first} and {second} overlap"
            )));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strides_that_share_values_are_refused() {
        for (shape, strides) in [
            (&[4][..], &[0][..]),
            (&[2, 3], &[1, 1]),
            (&[2, 3], &[2, 1]),
            (&[2, 2], &[usize::MAX, 1]),
            (&[2], &[1, 1]),
        ] {
            assert!(Order::of_strides(shape, strides).is_err(), "{strides:?}");
        }
        assert_eq!(
            Order::of_strides(&[2, 3], &[3, 1]).unwrap(),
            Order::RowMajor
        );
        // A dimension of one value may have any stride.
        assert_eq!(
            Order::of_strides(&[1, 3], &[0, 1]).unwrap(),
            Order::RowMajor
        );
    }

    #[test]
    fn a_transposed_tensor_is_gathered() {
        let stored: Vec<f32> = (0..6).map(|v| v as f32).collect();
        assert_eq!(
            gather(&stored, &[3, 2], &[1, 3]).unwrap(),
            [0.0, 3.0, 1.0, 4.0, 2.0, 5.0]
        );
        assert_eq!(gather(&stored, &[], &[]).unwrap(), [0.0]);
    }

    #[test]
    fn the_first_bad_value_is_found_in_any_block() {
        for position in [0, 1, 4095, 4096, 9000] {
            let mut values = vec![1.0; 10_000];
            values[position] = f32::NEG_INFINITY;
            values[9_999] = f32::NAN;
            assert_eq!(first_not_finite(&values), Some(position));
        }
        assert_eq!(first_not_finite(&[]), None);
    }
}
