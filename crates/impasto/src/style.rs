//! A painting, and how much it counts.

use crate::picture::Picture;

/// A painting and how much it counts among the paintings of a job.
#[derive(Clone, Debug)]
pub struct Style {
    /// What messages and reports call it.
    pub name: String,
    /// The painting.
    pub picture: Picture,
    /// Its weight, greater than 0; weights of the styles of one region count relative to each other, and their mean says how
    /// strong a region's style is.
    pub weight: f32,
    /// The region of the picture that is painted in it, as an index into those of the job
    /// ([`Regions`](crate::Regions)); `None` for what belongs to no region.
    pub region: Option<usize>,
    /// How large it is looked at beside what the recipe says; 1 as it says.
    pub scale: f32,
}

impl Style {
    /// A painting with a weight, of no region.
    pub fn new(name: impl Into<String>, picture: Picture, weight: f32) -> Self {
        Self {
            name: name.into(),
            picture,
            weight,
            region: None,
            scale: 1.0,
        }
    }
}
