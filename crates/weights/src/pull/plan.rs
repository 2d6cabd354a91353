//! Which bytes of a file are needed, and what is already here of them.
//!
//! A download lies in `NAME.part`: the bytes of the plan's spans, one behind the other. `NAME.part.json` keeps the
//! plan, so that what is there is never fetched again, also after a crash: the length of the part says how far it is.

use crate::entry::Place as Lies;
use crate::format;
use crate::limits::count;
use crate::problem::Problem;
use crate::save::write_whole;
use crate::source::Source;
use crate::vgg::{Place, Vgg};
use crate::{Limits, WeightsFile};
use serde::{Deserialize, Serialize};
use std::fs::{self, File};
use std::io::{self, Write};
use std::ops::Range;
use std::path::Path;

/// What is to be fetched from one address.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Plan {
    pub(super) url: String,
    /// The deepest convolution that was asked for.
    last: Option<Place>,
    /// The size of the whole file, if it is known.
    pub(super) total: Option<u64>,
    pub(super) etag: Option<String>,
    /// The SHA-256 of the whole file, as the server states it.
    pub(super) sha256: Option<String>,
    /// The places in the file, in order, that are needed. The last may be open.
    spans: Vec<Range<u64>>,
}

/// Holes between two tensors that are fetched with them, rather than asking twice.
const SMALL_GAP: u64 = 1 << 16;

impl Plan {
    /// To fetch all of a file.
    pub(super) fn whole(url: &str, last: Option<Place>, total: Option<u64>) -> Self {
        Self {
            url: url.into(),
            last,
            total,
            etag: None,
            sha256: None,
            spans: vec![Range {
                start: 0,
                end: total.unwrap_or(u64::MAX),
            }],
        }
    }

    /// With what tells this version of the file from others.
    pub(super) fn tagged(self, etag: Option<String>, sha256: Option<String>) -> Self {
        Self {
            etag,
            sha256,
            ..self
        }
    }

    /// To fetch the header and the convolutions of a safetensors file of `total` bytes, of which `header` is the
    /// start: the length and all of the JSON.
    pub(super) fn convolutions(
        url: &str,
        last: Option<Place>,
        header: &[u8],
        total: u64,
    ) -> crate::Result<Self> {
        let source = Source::start_of(header, total);
        let nothing = |_: &str| Err(Problem::damaged("it has no shards"));
        let file = WeightsFile::index(source, url.into(), &nothing, &Limits::default())?;
        let mut vgg = file.find_vgg()?;
        if let Some(last) = last {
            vgg.stop_after(last)
                .map_err(|problem| crate::WeightsError::NotVgg {
                    file: url.into(),
                    problem,
                })?;
        }
        let mut spans = file.places(&vgg);
        spans.push(0..header.len() as u64);
        spans.sort_unstable_by_key(|span| span.start);
        let mut merged: Vec<Range<u64>> = Vec::new();
        for span in spans {
            match merged.last_mut() {
                Some(last) if span.start <= last.end.saturating_add(SMALL_GAP) => {
                    last.end = last.end.max(span.end);
                }
                _ => merged.push(span),
            }
        }
        Ok(Self {
            spans: merged,
            ..Self::whole(url, last, Some(total))
        })
    }

    /// Whether it fetches the file from end to end.
    pub(super) fn is_whole(&self) -> bool {
        matches!(self.spans.as_slice(), [span] if span.start == 0 && Some(span.end) == self.total)
            || self.total.is_none()
    }

    /// Bytes to fetch in all, if it is known.
    pub(super) fn bytes(&self) -> Option<u64> {
        self.total?;
        Some(self.spans.iter().map(|span| span.end - span.start).sum())
    }

    /// What is to be asked for next when `have` bytes are here; `None` at the end.
    pub(super) fn next(&self, have: u64) -> Option<Range<u64>> {
        let mut before = 0;
        for span in &self.spans {
            let here = have.saturating_sub(before);
            if here < span.end - span.start {
                return Some(span.start + here..span.end);
            }
            before += span.end - span.start;
        }
        None
    }

    /// Notes that the file ended after `length` bytes, where nobody had said when it would.
    pub(super) fn ended(&mut self, length: u64) {
        let whole = Self::whole(&self.url, self.last, Some(length));
        *self = whole.tagged(self.etag.take(), self.sha256.take());
    }

    /// What was fetched, at the addresses that it has in the file.
    pub(super) fn source(&self, part: File) -> Source<'static> {
        Source::excerpt(part, &self.spans, self.total.unwrap_or(0))
    }

    /// The plan of an unfinished download, if it is of the same file.
    pub(super) fn load(journal: &Path, url: &str, last: Option<Place>) -> Option<Self> {
        let plan: Self = serde_json::from_slice(&fs::read(journal).ok()?).ok()?;
        let ordered = plan.spans.iter().all(|span| span.start < span.end)
            && plan.spans.windows(2).all(|two| two[0].end <= two[1].start);
        let inside = match (plan.total, plan.spans.last()) {
            (Some(total), Some(span)) => span.end <= total,
            _ => false,
        };
        (plan.url == url && plan.last == last && ordered && inside).then_some(plan)
    }

    /// Keeps the plan. One without an end is not kept: nobody could tell what is missing.
    pub(super) fn save(&self, journal: &Path) -> io::Result<()> {
        if self.total.is_none() {
            return Ok(());
        }
        let text = serde_json::to_vec(self)?;
        write_whole(journal, |file| file.write_all(&text))
    }
}

impl WeightsFile<'_> {
    /// Where the tensors of a VGG lie in the file.
    fn places(&self, vgg: &Vgg) -> Vec<Range<u64>> {
        let entries = self.entries();
        vgg.sources()
            .filter_map(|name| {
                let entry = entries.iter().find(|entry| entry.name == name)?;
                let width = entry.encoding.width()?;
                let size = (count(&entry.shape)? * width) as u64;
                match entry.place {
                    Lies::Stored(start) => Some(start..start + size),
                    _ => None,
                }
            })
            .collect()
    }
}

/// How many bytes of a safetensors file of `total` have to be here to plan the rest, from its first ones: its header,
/// and no fewer than tell the format. `None` if it is no safetensors file.
pub(super) fn header_size(start: &[u8], total: u64) -> Option<u64> {
    let length = format::safetensors_header(start)?;
    Some(length.saturating_add(8).max(format::TELLING.min(total)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_next_follows_from_what_is_here() {
        let plan = Plan {
            spans: vec![0..10, 20..25, 40..41],
            ..Plan::whole("u", None, Some(50))
        };
        assert!(!plan.is_whole());
        assert_eq!(plan.bytes(), Some(16));
        for (have, next) in [
            (0, Some(0..10)),
            (9, Some(9..10)),
            (10, Some(20..25)),
            (12, Some(22..25)),
            (15, Some(40..41)),
            (16, None),
            (99, None),
        ] {
            assert_eq!(plan.next(have), next, "{have}");
        }
        let mut open = Plan::whole("u", None, None);
        assert!(open.is_whole() && open.bytes().is_none());
        assert_eq!(open.next(7), Some(7..u64::MAX));
        open.ended(7);
        assert!(open.is_whole() && open.next(7).is_none());
    }

    #[test]
    fn a_plan_is_kept_for_its_own_file_only() {
        let folder = impasto_testing::Folder::new();
        let journal = folder.path().join("j");
        let plan = Plan::whole("u", Some((5, 1)), Some(50));
        plan.save(&journal).unwrap();
        assert_eq!(Plan::load(&journal, "u", Some((5, 1))), Some(plan));
        assert_eq!(Plan::load(&journal, "v", Some((5, 1))), None);
        assert_eq!(Plan::load(&journal, "u", None), None);
        for broken in [
            r#"{"url":"u","last":null,"total":50,"spans":[{"start":0,"end":51}]}"#,
            r#"{"url":"u","last":null,"total":50,"spans":[{"start":9,"end":3}]}"#,
            "",
        ] {
            fs::write(&journal, broken).unwrap();
            assert_eq!(Plan::load(&journal, "u", None), None, "{broken}");
        }
    }
}
