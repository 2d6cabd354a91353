//! Several paintings beside each other: labelled pictures, and pages.

use crate::error::{Class, of_error, raise};
use crate::painting::Painting;
use crate::picture::{Picked, Picture};
use crate::process;
use impasto::sheet::SIDE;
use impasto::{Cell, Comparison, Contender, Gallery, Plate};
use pyo3::prelude::*;

fn plates(sources: &[Picked]) -> impasto::Result<Vec<Plate>> {
    let plates = sources
        .iter()
        .map(|Picked(source)| Plate::new(source.stem(), &source.open()?, SIDE));
    plates.collect()
}

/// Content, styles and paintings by several recipes beside each other: a picture, and a page.
#[pyfunction]
pub fn comparison(
    py: Python<'_>,
    content: Picked,
    styles: Vec<Picked>,
    paintings: Vec<(String, Py<Painting>)>,
) -> PyResult<(Picture, String)> {
    process::enter(py)?;
    let made = py.detach(|| {
        let contenders = paintings.iter().map(|(name, painting)| {
            let painting = painting.get();
            Ok(Contender {
                plate: painting.plate(name, SIDE)?,
                report: painting.report.clone(),
            })
        });
        let contenders = contenders.collect::<impasto::Result<Vec<_>>>()?;
        let comparison = Comparison {
            content: &Plate::new(content.0.stem(), &content.0.open()?, SIDE)?,
            styles: &plates(&styles)?,
            contenders: &contenders,
            command: None,
        };
        Ok((comparison.sheet(SIDE)?, comparison.html()))
    });
    let (sheet, page) = made.map_err(|error| of_error(py, error))?;
    Ok((Picture::new("comparison".into(), sheet), page))
}

/// Every content in every style: a labelled picture, and a page. `cells` are row by row, one row for each content; at least one
/// is painted.
#[pyfunction]
pub fn gallery(
    py: Python<'_>,
    contents: Vec<Picked>,
    styles: Vec<Picked>,
    cells: Vec<Option<Py<Painting>>>,
) -> PyResult<(Picture, String)> {
    process::enter(py)?;
    let Some(first) = cells.iter().flatten().next() else {
        return Err(raise(
            py,
            Class::Invalid,
            vec!["nothing of the gallery is painted".into()],
        ));
    };
    let made = py.detach(|| {
        let (contents, styles) = (plates(&contents)?, plates(&styles)?);
        let names = contents.iter().flat_map(|content| {
            let name = |style: &Plate| format!("{}-{}", content.name(), style.name());
            styles.iter().map(name)
        });
        let cells = names.zip(&cells).map(|(name, painting)| {
            let Some(painting) = painting.as_ref().map(Py::get) else {
                return Ok(None);
            };
            Ok(Some(Cell {
                plate: painting.plate(&name, SIDE)?,
                steps: painting.report.steps.len(),
                seconds: painting.report.seconds,
            }))
        });
        let report = &first.get().report;
        let gallery = Gallery {
            contents: &contents,
            styles: &styles,
            cells: &cells.collect::<impasto::Result<Vec<_>>>()?,
            recipe: &report.recipe,
            encoder: &report.encoder,
            device: &report.device,
            command: None,
        };
        Ok((gallery.sheet(SIDE)?, gallery.html()))
    });
    let (sheet, page) = made.map_err(|error| of_error(py, error))?;
    Ok((Picture::new("gallery".into(), sheet), page))
}
