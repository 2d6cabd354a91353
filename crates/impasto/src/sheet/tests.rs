use super::*;

/// A picture of one colour.
fn plain(width: usize, height: usize, colour: Colour) -> Picture {
    let planes = colour.iter().flat_map(|&value| vec![value; width * height]);
    Picture::new(width, height, planes.collect()).unwrap()
}

const RED: Colour = [1.0, 0.0, 0.0];
const GREEN: Colour = [0.0, 1.0, 0.0];
const BLUE: Colour = [0.0, 0.0, 1.0];

fn colour(picture: &Picture, x: usize, y: usize) -> Colour {
    let plane = picture.width() * picture.height();
    [0, 1, 2].map(|c| picture.rgb()[c * plane + y * picture.width() + x])
}

/// Left, top, width and height of the rectangles of a colour, from the top, then from the left.
fn rectangles(picture: &Picture, wanted: Colour) -> Vec<[usize; 4]> {
    let mut found: Vec<[usize; 4]> = Vec::new();
    for y in 0..picture.height() {
        for x in 0..picture.width() {
            let inside = found.iter().any(|&[left, top, width, height]| {
                (left..left + width).contains(&x) && (top..top + height).contains(&y)
            });
            if inside || colour(picture, x, y) != wanted {
                continue;
            }
            let width = (x..picture.width())
                .take_while(|&x| colour(picture, x, y) == wanted)
                .count();
            let height = (y..picture.height())
                .take_while(|&y| colour(picture, x, y) == wanted)
                .count();
            found.push([x, y, width, height]);
        }
    }
    found
}

fn grid(
    contents: &[Picture],
    styles: &[Picture],
    cells: &[Option<&Picture>],
    side: usize,
) -> Picture {
    let labelled = |pictures: &'_ [Picture]| -> Vec<(String, Picture)> {
        let named = pictures.iter().enumerate();
        named
            .map(|(index, picture)| (format!("name {index}"), picture.clone()))
            .collect()
    };
    let (contents, styles) = (labelled(contents), labelled(styles));
    let borrowed = |named: &'_ [(String, Picture)]| -> Vec<(usize, usize)> {
        named.iter().map(|(_, p)| shape(p)).collect()
    };
    assert_eq!(
        borrowed(&contents).len() * borrowed(&styles).len(),
        cells.len()
    );
    let contents: Vec<_> = contents
        .iter()
        .map(|(name, picture)| Labelled { name, picture })
        .collect();
    let styles: Vec<_> = styles
        .iter()
        .map(|(name, picture)| Labelled { name, picture })
        .collect();
    Grid {
        contents: &contents,
        styles: &styles,
        cells,
        side,
    }
    .picture()
    .unwrap()
}

#[test]
fn a_grid_has_even_gutters_and_keeps_every_aspect() {
    let contents = [plain(60, 40, RED), plain(30, 40, RED)];
    let styles = [
        plain(50, 40, GREEN),
        plain(50, 20, GREEN),
        plain(20, 40, GREEN),
    ];
    let (wide, tall) = (plain(30, 20, BLUE), plain(15, 20, BLUE));
    let cells = [
        Some(&wide),
        Some(&wide),
        None,
        Some(&tall),
        Some(&tall),
        Some(&tall),
    ];
    let sheet = grid(&contents, &styles, &cells, 100);
    let (red, green, blue) = (
        rectangles(&sheet, RED),
        rectangles(&sheet, GREEN),
        rectangles(&sheet, BLUE),
    );
    let sizes =
        |rectangles: &[[usize; 4]]| -> Vec<_> { rectangles.iter().map(|r| (r[2], r[3])).collect() };
    assert_eq!(sizes(&red), [(100, 67), (94, 125)]);
    let mut styles = green.clone();
    styles.sort();
    assert_eq!(sizes(&styles), [(100, 80), (100, 40), (40, 80)]);
    assert_eq!(
        sizes(&blue),
        [(100, 67), (100, 67), (94, 125), (94, 125), (94, 125)]
    );
    // Gutters of 5, and of 10 between inputs and results; pictures stand in the middle of their columns.
    let [first, second] = [blue[0], blue[1]];
    assert_eq!(second[0] - (first[0] + 100), 5);
    assert_eq!(first[0] - (red[0][0] + 100), 10);
    assert_eq!(blue[2][1] - (first[1] + 67), 5);
    assert_eq!(blue[2][0] - first[0], 3);
    for style in &styles {
        assert_eq!(
            style[1] + style[3],
            styles[0][1] + styles[0][3],
            "on one line"
        );
    }
    assert_eq!(first[1] - (styles[0][1] + styles[0][3]), 10);
    assert_eq!(red[0][1], first[1]);
    // An equal margin all around what there is.
    assert_eq!(sheet.width() - (blue[4][0] + 94 + 3), 10);
    assert_eq!(sheet.height() - (blue[4][1] + 125), 10);
}

#[test]
fn names_stand_above_styles_and_beside_contents() {
    let (content, style, cell) = (
        plain(80, 60, RED),
        plain(80, 60, GREEN),
        plain(80, 60, BLUE),
    );
    let sheet = grid(&[content], &[style], &[Some(&cell)], 200);
    let (red, green) = (rectangles(&sheet, RED)[0], rectangles(&sheet, GREEN)[0]);
    let dark = |left: usize, top: usize, right: usize, bottom: usize| {
        let places = (top..bottom).flat_map(|y| (left..right).map(move |x| (x, y)));
        places
            .filter(|&(x, y)| colour(&sheet, x, y)[0] < 0.6)
            .count()
    };
    assert!(
        dark(green[0], 0, green[0] + green[2], green[1]) > 25,
        "above the style"
    );
    assert!(
        dark(0, red[1], red[0], red[1] + red[3]) > 25,
        "beside the content"
    );
    assert_eq!(
        dark(0, 0, red[0] + red[2], red[1]),
        0,
        "the corner is empty"
    );
}

#[test]
fn a_contact_sheet_has_a_caption_under_each_picture() {
    let picture = plain(40, 30, RED);
    let tile = |caption, note| Tile {
        picture: &picture,
        caption,
        note,
    };
    let tiles = [
        tile("content", "lake"),
        tile("style", ""),
        tile("gatys2016", "500 steps"),
        tile("", ""),
    ];
    let sheet = ContactSheet {
        tiles: &tiles,
        side: 200,
    }
    .picture()
    .unwrap();
    let places = rectangles(&sheet, RED);
    assert_eq!(places.len(), 4);
    assert!(
        places
            .iter()
            .all(|place| (place[2], place[3]) == (200, 150))
    );
    let dark = |place: [usize; 4]| {
        let below = (place[1] + 150..(place[1] + 190).min(sheet.height()))
            .flat_map(|y| (place[0]..place[0] + 200).map(move |x| (x, y)));
        below
            .filter(|&(x, y)| colour(&sheet, x, y)[0] < 0.6)
            .count()
    };
    let ink: Vec<_> = places.iter().map(|&place| dark(place)).collect();
    assert!(ink[0] > 25 && ink[1] > 25 && ink[2] > ink[1], "{ink:?}");
    assert_eq!(ink[3], 0);
    let none = ContactSheet {
        tiles: &[],
        side: 200,
    }
    .picture()
    .unwrap();
    assert!(none.width() >= 200 && none.height() > 0);
}

#[test]
fn sheets_are_about_as_wide_as_pages() {
    for (count, expected) in [
        (1, 1),
        (2, 2),
        (3, 3),
        (4, 2),
        (6, 3),
        (8, 4),
        (9, 3),
        (12, 4),
        (15, 5),
    ] {
        assert_eq!(columns(&vec![(60, 40); count]), expected, "{count}");
    }
    for count in 1..60 {
        let columns = columns(&vec![(40, 60); count]);
        assert!((1..=count).contains(&columns));
    }
}

#[test]
fn single_pixels_and_strips_find_their_place() {
    for (width, height) in [(1, 1), (1, 200), (300, 1), (7, 3)] {
        let picture = plain(width, height, BLUE);
        let sheet = grid(
            &[plain(width, height, RED)],
            &[plain(2, 3, GREEN)],
            &[Some(&picture)],
            64,
        );
        let (place, &[left, top, ..]) = (rectangles(&sheet, BLUE), &rectangles(&sheet, BLUE)[0]);
        assert_eq!(place.len(), 1, "{width}×{height}");
        assert!(left + place[0][2] < sheet.width() && top + place[0][3] < sheet.height());
    }
}

#[test]
fn what_is_transparent_shows_the_paper() {
    let clear = plain(20, 20, BLUE).with_alpha(vec![0.0; 400]).unwrap();
    let sheet = ContactSheet {
        tiles: &[Tile {
            picture: &clear,
            caption: "",
            note: "",
        }],
        side: 100,
    };
    let sheet = sheet.picture().unwrap();
    assert!(sheet.rgb().iter().all(|value| PAPER.contains(value)));
}

#[test]
fn the_size_of_a_grid_is_known_without_its_cells() {
    let pictures = [plain(30, 20, RED), plain(20, 50, GREEN), plain(1, 9, BLUE)];
    let labelled: Vec<_> = pictures
        .iter()
        .map(|picture| Labelled { name: "x", picture })
        .collect();
    for (rows, columns) in [(1, 1), (3, 1), (2, 3)] {
        let grid = Grid {
            contents: &labelled[..rows],
            styles: &labelled[..columns],
            cells: &[],
            side: 60,
        };
        let picture = grid.picture().unwrap();
        assert_eq!(grid.size(), (picture.width(), picture.height()));
    }
}

#[test]
fn huge_grids_are_made_smaller() {
    for (columns, rows) in [(1, 1), (4, 5), (40, 60), (1, 2000), (500, 2)] {
        let side = bounded(4096, columns, rows, 1.3);
        let frame = Frame::new(side);
        let width = (columns * (side + frame.gutter) + 4 * frame.margin) as f64;
        let height = rows as f64 * (BOX_HEIGHT * side as f64 + frame.gutter as f64)
            + 4.0 * frame.margin as f64;
        assert!(
            side == LEAST_SIDE || width * height < 1.3 * PIXELS,
            "{columns}×{rows}: {width}×{height}"
        );
        assert!(side == LEAST_SIDE || width.max(height) < 1.3 * LONGEST as f64);
    }
    assert_eq!(bounded(400, 4, 5, 1.0), 400);
}
