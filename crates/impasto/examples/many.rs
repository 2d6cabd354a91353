//! Paints several photos in one style: `many [PAINTING PHOTO...]`.
//!
//! The stylizer prepares the network once, and looks at the painting once for each size.

use impasto::picture::SaveOptions;
use impasto::{Encoder, Ignore, Quality, Recipe, Style, Stylized, Stylizer, device, examples};
use std::path::Path;

fn main() -> impasto::Result<()> {
    let mut args: Vec<_> = std::env::args().skip(1).collect();
    if args.len() < 2 {
        args = ["@waves", "@lake", "@city", "@still-life"]
            .map(String::from)
            .into();
    }
    let style = Style::new(&args[0], examples::open(&args[0])?, 1.0);
    let mut recipe = Recipe::default();
    Quality::Draft.apply(&mut recipe);
    let device = device::open(&device::Choice::default())?;
    let mut stylizer = Stylizer::new(device, &Encoder::lite()?, vec![style], recipe)?;

    for photo in &args[1..] {
        let content = examples::open(photo)?;
        let Stylized {
            picture, report, ..
        } = stylizer.stylize(&content, &mut Ignore)?;
        let name = Path::new(photo.trim_start_matches('@')).with_extension("");
        let result = format!("{}-stylized.png", name.display());
        picture.save(result.as_ref(), &SaveOptions::default())?;
        eprintln!("{result} after {:.1} s", report.seconds);
    }
    Ok(())
}
