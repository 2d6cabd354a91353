//! The parts of a picture that are painted in styles of their own, and the places of styles that they are compared with.

use crate::method::Setup;
use crate::random::Random;
use impasto_compute::Size;

/// A part of the picture and the styles that it is painted in.
pub(in crate::method) struct Share {
    /// What the names of its terms end with.
    pub(in crate::method) name: String,
    /// The region of its styles; `None` for all styles.
    pub(in crate::method) region: Option<Option<usize>>,
    /// How much each pixel counts, `[h, w]`; `None` if all count alike.
    pub(in crate::method) drawn: Option<Vec<f32>>,
    /// How strongly it is painted.
    pub(in crate::method) strength: f32,
}

/// The parts of a picture of some size: all of it, or those of regions.
pub(in crate::method) fn shares(setup: &Setup, size: Size) -> Vec<Share> {
    let Some(shares) = setup.shares(size) else {
        return vec![Share {
            name: String::new(),
            region: None,
            drawn: None,
            strength: 1.0,
        }];
    };
    let part = |part: &crate::regions::Part| Share {
        name: match part.region {
            Some(region) => format!(", region {}", region + 1),
            None => String::new(),
        },
        region: Some(part.region),
        drawn: Some(shares.drawn(part).0),
        strength: part.strength(&setup.styles),
    };
    shares.parts.iter().map(part).collect()
}

/// So many of some places, spread evenly: one of each stretch of them, drawn. If there are fewer, some are there twice.
pub(in crate::method) fn chosen<T: Copy>(
    places: &[T],
    count: usize,
    random: &mut Random,
) -> Vec<T> {
    let all = places.len();
    if count >= all {
        return (0..count).map(|at| places[at % all]).collect();
    }
    let place = |at: usize| {
        let (start, end) = (at * all / count, (at + 1) * all / count);
        places[start + random.below(end - start)]
    };
    (0..count).map(place).collect()
}
