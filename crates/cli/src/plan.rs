//! The plan of a run for people: `--plan`, and the first lines of `--verbose`.

use crate::job::Job;
use crate::progress::duration;
use crate::{Exit, print};
use impasto::job::Content;
use impasto::{Cut, Pace, RunPlan, ScalePlan, Stylizer};

/// Bytes as `3.00 GB`.
fn amount(bytes: u64) -> String {
    match bytes {
        1_000_000_000.. => format!("{:.2} GB", bytes as f64 / 1e9),
        _ => format!("{:.0} MB", bytes as f64 / 1e6),
    }
}

/// How a scale is worked on.
fn way(scale: &ScalePlan) -> String {
    let more = 100.0 * (scale.work - 1.0);
    let tiles = match &scale.cut {
        None => return "as a whole".into(),
        Some(Cut::Strips(_)) => return format!("in strips; {more:.0} % more work"),
        Some(Cut::Tiles(tiles)) => tiles,
    };
    let kept = match tiles.kept {
        kept if kept >= scale.tile_count => "all".into(),
        kept => kept.to_string(),
    };
    let of = if scale.tile_count == 1 {
        "tile of"
    } else {
        "tiles of"
    };
    format!(
        "{} {of} {}×{}, {kept} remembered; {more:.0} % more work",
        scale.tile_count, tiles.width, tiles.height,
    )
}

/// One row per scale, and the sum.
fn rows(plan: &RunPlan, pace: &Pace) -> Vec<String> {
    let mut rows = vec![format!(
        "{:>11} {:>6} {:>9} {:>8}  way",
        "size", "steps", "memory", "time"
    )];
    for scale in &plan.scales {
        rows.push(format!(
            "{:>11} {:>6} {:>9} {:>8}  {}",
            format!("{}×{}", scale.width, scale.height),
            scale.steps,
            amount(scale.bytes),
            duration(pace.scale(scale)),
            way(scale)
        ));
    }
    let seconds = plan.scales.iter().map(|scale| pace.scale(scale)).sum();
    let limit = match plan.limit {
        Some(limit) => format!("limit {}", amount(limit)),
        None => "no limit known".into(),
    };
    let steps: usize = plan.scales.iter().map(|scale| scale.steps).sum();
    rows.push(format!(
        "{:>11} {:>6} {:>9} {:>8}  {limit}",
        "all",
        steps,
        amount(plan.bytes()),
        duration(seconds)
    ));
    rows
}

/// Prints the plan of each content of a job, and paints nothing.
///
/// # Errors
/// A content that cannot be read or does not fit into memory.
pub fn show(job: Job) -> anyhow::Result<Exit> {
    let job = job.job;
    for content in job.contents {
        let Content {
            source, picture, ..
        } = content;
        let picture = match picture {
            Some(picture) => picture,
            None => source.open()?,
        };
        let plan = job.stylizer.plan(&picture)?;
        let pace = job.stylizer.pace(&picture)?;
        print(&format!(
            "{}\n{}\n",
            source.name(),
            rows(&plan, &pace).join("\n")
        ))?;
    }
    Ok(Exit::Done)
}

/// Logs the plan of a content, if anybody listens.
///
/// # Errors
/// It does not fit into memory.
pub fn log(stylizer: &mut Stylizer, picture: &impasto::Picture) -> anyhow::Result<()> {
    if log::log_enabled!(log::Level::Info) {
        let plan = stylizer.plan(picture)?;
        let pace = stylizer.pace(picture)?;
        rows(&plan, &pace)
            .iter()
            .for_each(|row| log::info!("{row}"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_is_a_table() {
        let scale = ScalePlan {
            width: 4096,
            height: 3072,
            steps: 30,
            cut: Some(Cut::Tiles(impasto::TilePlan {
                height: 1536,
                width: 2048,
                cut: Some(11),
                front: 512,
                front_kept: true,
                kept: 3,
            })),
            tile_count: 4,
            style_cut: None,
            bytes: 2_900_000_000,
            work: 1.25,
        };
        let strips = ScalePlan {
            cut: Some(Cut::Strips(impasto::StripPlan {
                rows: None,
                kept: vec![4],
            })),
            ..scale.clone()
        };
        let plan = RunPlan {
            scales: vec![scale, strips],
            limit: Some(3_000_000_000),
        };
        let pace = Pace {
            constant: 0.0,
            per_pixel: 1e-6,
        };
        let rows = rows(&plan, &pace);
        assert!(
            rows[1].contains("4096×3072     30   2.90 GB"),
            "{}",
            rows[1]
        );
        assert!(rows[1].ends_with("4 tiles of 2048×1536, 3 remembered; 25 % more work"));
        assert!(rows[2].ends_with("in strips; 25 % more work"));
        assert!(rows[3].ends_with("limit 3.00 GB"));
    }
}
