//! Jobs: what is ordered is painted, once, and comes back whatever happens in between.

use crate::open::Open;
use impasto::Picture;
use impasto::job::Made;
use impasto::picture::{Format, SaveOptions, settings_of};
use impasto_testing::Folder;
use serde_json::{Value, json};

fn order(size: usize, quality: &str) -> Value {
    json!({
        "content": "@lake",
        "styles": [{"picture": "@swirls", "weight": 1}, {"picture": "@waves", "weight": 0.5}],
        "size": size,
        "quality": quality,
    })
}

fn with(mut order: Value, more: &[(&str, Value)]) -> Value {
    for (name, value) in more {
        order[name] = value.clone();
    }
    order
}

/// A job that takes so many steps, whatever it starts from.
fn long(steps: usize) -> Value {
    with(
        order(64, "draft"),
        &[("settings", json!({"schedule.steps": steps.to_string()}))],
    )
}

fn paint(open: &Open, order: &Value) -> i64 {
    let answer = open.post("/api/paint", &order.to_string());
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()["id"].as_i64().unwrap()
}

fn finished(open: &Open, id: i64) -> Value {
    open.until("the job ends", |state| {
        (state["ended"]["id"] == id && state["job"].is_null()).then(|| state["ended"].clone())
    })
}

fn queued(open: &Open, orders: &[Value]) -> Vec<i64> {
    let answer = open.post("/api/queue", &json!(orders).to_string());
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()["ids"]
        .as_array()
        .unwrap()
        .iter()
        .map(|id| id.as_i64().unwrap())
        .collect()
}

fn queue(open: &Open) -> Vec<(i64, String)> {
    let jobs = open.get("/api/queue").json()["jobs"].clone();
    let jobs = jobs.as_array().unwrap().iter();
    jobs.map(|job| {
        (
            job["id"].as_i64().unwrap(),
            job["state"].as_str().unwrap().into(),
        )
    })
    .collect()
}

#[test]
fn what_is_painted_is_a_file_with_its_settings() {
    let folder = Folder::new();
    let open = Open::new(&folder);
    let id = paint(&open, &order(48, "draft"));
    let ended = finished(&open, id);
    assert_eq!(
        (&ended["result"], &ended["problem"]),
        (&json!(true), &Value::Null)
    );
    assert!(open.get("/api/preview").body.starts_with(b"\xff\xd8"));
    let results = open.results();
    assert_eq!(results[0]["title"], "lake in swirls + waves");
    let file = folder
        .path()
        .join("results")
        .join(format!("lake-swirls-waves-{id}.png"));
    let bytes = std::fs::read(&file).unwrap();
    assert_eq!(open.get(&format!("/api/results/{id}/picture")).body, bytes);
    let made = Made::read(&bytes, "a").unwrap();
    assert_eq!(made.styles.len(), 2);
    assert_eq!(made.more["studio"]["order"]["size"], 48);
    // Its settings are there again when the file is sent, and what they order gives the same picture.
    let again = open.send("a.png", &bytes).json()["made"]["order"].clone();
    let other = paint(&open, &again);
    finished(&open, other);
    let other = std::fs::read(
        folder
            .path()
            .join("results")
            .join(format!("lake-swirls-waves-{other}.png")),
    )
    .unwrap();
    let decode = |bytes: &[u8]| Picture::decode(bytes, "a", &Default::default()).unwrap();
    assert_eq!(decode(&bytes), decode(&other));
}

#[test]
fn stopping_keeps_and_going_on_ends_where_it_would_have_ended() {
    let folder = Folder::new();
    let open = Open::new(&folder);
    let whole = paint(&open, &long(300));
    finished(&open, whole);
    let id = paint(&open, &long(300));
    open.until("a step", |state| {
        (state["job"]["step"].as_u64()? > 2).then_some(())
    });
    assert_eq!(
        open.post(&format!("/api/jobs/{id}/stop"), r#"{"keep": true}"#)
            .status,
        200
    );
    finished(&open, id);
    let row = open
        .results()
        .into_iter()
        .find(|row| row["id"] == id)
        .unwrap();
    assert_eq!(row["state"], "stopped");
    // It goes on as a job of its own: what was kept is kept.
    let on = open.post(&format!("/api/jobs/{id}/on"), "{}").json()["id"]
        .as_i64()
        .unwrap();
    open.until("it is done", |_| {
        let row = open.results().into_iter().find(|row| row["id"] == on)?;
        (row["state"] == "done").then_some(())
    });
    assert_eq!(open.results().len(), 3);
    let picture = |id: i64| {
        let bytes = open.get(&format!("/api/results/{id}/picture")).body;
        Picture::decode(&bytes, "a", &Default::default()).unwrap()
    };
    assert_eq!(picture(whole), picture(on));
    assert_ne!(picture(whole), picture(id));
}

#[test]
fn a_knob_that_is_moved_starts_from_the_present_picture() {
    let folder = Folder::new();
    let open = Open::new(&folder);
    paint(&open, &long(4_000));
    open.until("a step", |state| {
        (state["job"]["step"].as_u64()? > 1).then_some(())
    });
    let id = paint(
        &open,
        &with(
            order(64, "draft"),
            &[
                ("start", json!("present")),
                ("keep", json!(50)),
                ("steps", json!(2)),
            ],
        ),
    );
    finished(&open, id);
    let results = open.results();
    assert_eq!(results.len(), 1, "what was left is no result: {results:?}");
    let made = Made::read(&open.get(&format!("/api/results/{id}/picture")).body, "a").unwrap();
    let init = impasto::recipe::field("init")
        .unwrap()
        .get(&made.recipe)
        .unwrap();
    assert_eq!(init.name(), Some("picture"));
    // More steps from a result.
    let more = paint(
        &open,
        &with(
            order(64, "draft"),
            &[
                ("start", json!(format!("result:{id}"))),
                ("steps", json!(2)),
            ],
        ),
    );
    assert_eq!(finished(&open, more)["problem"], Value::Null);
    // What a run started from is removed with it.
    let left = std::fs::read_dir(folder.path().join("pictures"))
        .unwrap()
        .count();
    assert_eq!(left, 0);
}

#[test]
fn the_queue_is_reordered_paused_and_survives() {
    let folder = Folder::new();
    let open = Open::new(&folder);
    open.post("/api/queue/pause", r#"{"paused": true}"#);
    let ids = queued(
        &open,
        &[
            order(32, "instant"),
            order(33, "instant"),
            order(34, "instant"),
            order(35, "instant"),
        ],
    );
    let [a, b, c, d] = ids[..] else {
        panic!("{ids:?}")
    };
    let names = |ids: &[i64], state: &str| {
        ids.iter()
            .map(|id| (*id, state.to_string()))
            .collect::<Vec<_>>()
    };
    assert_eq!(queue(&open), names(&[a, b, c, d], "queued"));
    open.post(
        "/api/queue/order",
        &json!({"ids": [d, a, c, b]}).to_string(),
    );
    assert_eq!(queue(&open), names(&[d, a, c, b], "queued"));
    assert_eq!(
        open.post(&format!("/api/jobs/{c}/pause"), r#"{"paused": true}"#)
            .status,
        200
    );
    let headers = format!("Origin: http://127.0.0.1:{}\r\n", open.port);
    assert_eq!(
        open.with_cookie(&format!("DELETE /api/jobs/{a}"), &headers, b"")
            .status,
        200
    );
    assert_eq!(
        open.with_cookie(&format!("DELETE /api/jobs/{a}"), &headers, b"")
            .status,
        404
    );
    open.close();
    // Another program: the queue is as it was left. What waits goes on, in its order; what is paused waits.
    let open = Open::new(&folder);
    assert_eq!(open.get("/api/state").json()["paused"], true);
    open.post("/api/queue/pause", r#"{"paused": false}"#);
    open.until("both are painted", |_| {
        (open.results().len() == 2).then_some(())
    });
    assert_eq!(queue(&open), [(c, "paused".to_string())]);
    let painted: Vec<_> = open
        .results()
        .iter()
        .map(|row| row["id"].as_i64().unwrap())
        .collect();
    assert_eq!(painted, [d, b], "listed by number");
}

#[test]
fn history_is_searched_starred_deleted_and_made_again_from_the_pictures() {
    let folder = Folder::new();
    let open = Open::new(&folder);
    let one = paint(&open, &order(32, "instant"));
    finished(&open, one);
    let two = paint(
        &open,
        &with(order(32, "instant"), &[("content", json!("@city"))]),
    );
    finished(&open, two);
    let found = |query: &str| {
        let rows = open.get(&format!("/api/results?{query}")).json()["results"].clone();
        rows.as_array()
            .unwrap()
            .iter()
            .map(|row| row["id"].as_i64().unwrap())
            .collect::<Vec<_>>()
    };
    assert_eq!(found(""), [two, one]);
    assert_eq!(found("text=CITY"), [two]);
    assert_eq!(found("text=%25"), Vec::<i64>::new());
    open.post(&format!("/api/results/{one}/star"), r#"{"starred": true}"#);
    assert_eq!(found("starred=1"), [one]);
    open.post(
        &format!("/api/results/{one}/delete"),
        r#"{"deleted": true}"#,
    );
    assert_eq!(found(""), [two]);
    assert_eq!(open.get(&format!("/api/results/{one}/picture")).status, 404);
    open.post(
        &format!("/api/results/{one}/delete"),
        r#"{"deleted": false}"#,
    );
    assert_eq!(found(""), [two, one]);
    let before = open.get(&format!("/api/results/{two}/settings")).json();
    open.close();
    // A database that is no database.
    std::fs::write(
        folder.path().join("studio.db"),
        b"SQLite format 3\0 and then nothing",
    )
    .unwrap();
    for end in ["-wal", "-shm"] {
        let _ = std::fs::remove_file(folder.path().join(format!("studio.db{end}")));
    }
    let open = Open::new(&folder);
    let ids: Vec<_> = open
        .results()
        .iter()
        .map(|row| row["id"].as_i64().unwrap())
        .collect();
    assert_eq!(ids, [two, one]);
    let after = open.get(&format!("/api/results/{two}/settings")).json();
    assert_eq!(before["order"]["size"], after["order"]["size"]);
    assert_eq!(before["made"], after["made"]);
    assert!(folder.path().join("studio.db.damaged").exists());
}

#[test]
fn recipes_of_ones_own_are_files_that_are_kept_used_and_removed() {
    let folder = Folder::new();
    let open = Open::new(&folder);
    let keep = |name: &str, order: Value| {
        let body = json!({"name": name, "order": order}).to_string();
        open.post("/api/recipes", &body)
    };
    let kept = |open: &Open| open.get("/api/recipes").json()["recipes"].clone();
    assert_eq!(kept(&open), json!([]));
    let knobs = with(order(64, "draft"), &[("keep", json!(-100))]);
    assert_eq!(keep("my dusk", knobs.clone()).status, 200);
    let text = kept(&open)[0]["text"].as_str().unwrap().to_string();
    // The program reads the very file.
    let file = folder.path().join("recipes/my dusk.toml");
    let read = impasto::recipe::file::RecipeFile::open(&file).unwrap();
    assert_eq!(read.to_toml(), text);
    // Painting by it is painting by the knobs, and it is called by its name.
    let by_text = with(order(64, "draft"), &[("text", json!(text))]);
    let painted = |order: &Value| {
        let id = paint(&open, order);
        finished(&open, id);
        let file = open.get(&format!("/api/results/{id}/picture")).body;
        let picture = Picture::decode(&file, "", &Default::default()).unwrap();
        picture.rgb().to_vec()
    };
    assert_eq!(painted(&knobs), painted(&by_text));
    assert_eq!(open.results()[0]["how"], "my dusk, 64 px");
    for (name, order, status) in [
        ("../../evil", knobs.clone(), 422),
        ("", knobs.clone(), 422),
        ("nul", knobs.clone(), 422),
        ("gatys2015", knobs.clone(), 422),
        ("fine", with(knobs.clone(), &[("keep", json!(1000))]), 422),
    ] {
        let answer = keep(name, order);
        assert_eq!(answer.status, status, "{name}");
        assert!(answer.json()["problems"][0].is_string(), "{name}");
    }
    // What is no recipe is no trouble.
    std::fs::write(folder.path().join("recipes/broken.toml"), "size = [").unwrap();
    assert_eq!(kept(&open).as_array().unwrap().len(), 1);
    let origin = format!("Origin: http://127.0.0.1:{}\r\n", open.port);
    let delete = |name: &str| {
        let line = format!("DELETE /api/recipes/{name}");
        open.with_cookie(&line, &origin, b"")
    };
    assert_eq!(delete("..%2Fstudio").status, 404);
    assert_eq!(delete("my%20dusk").status, 200);
    assert_eq!(delete("my%20dusk").status, 404);
    assert!(!file.exists());
}

/// Several jobs start from one picture; a file of somebody else has the name of a result; a number uses none up.
#[test]
fn nothing_is_lost_by_sharing_or_by_names() {
    let folder = Folder::new();
    let foreign = {
        let open = Open::new(&folder);
        let id = paint(&open, &order(32, "instant"));
        finished(&open, id);
        open.post("/api/queue/pause", r#"{"paused": true}"#);
        let start = format!("result:{id}");
        let more: Vec<_> = (2..5)
            .map(|steps| {
                with(
                    order(32, "draft"),
                    &[("start", json!(start)), ("steps", json!(steps))],
                )
            })
            .collect();
        queued(&open, &more);
        open.post("/api/queue/pause", r#"{"paused": false}"#);
        open.until("all are painted", |_| {
            (open.results().len() == 4).then_some(())
        });
        assert_eq!(open.get("/api/queue").json()["jobs"], json!([]));
        let left = std::fs::read_dir(folder.path().join("pictures")).unwrap();
        assert_eq!(
            left.count(),
            0,
            "what they started from is removed with the last"
        );
        let file = open.get(&format!("/api/results/{id}/picture")).body;
        open.close();
        file
    };
    // The next job's name is taken.
    std::fs::write(
        folder.path().join("results/lake-swirls-waves-5.png"),
        &foreign,
    )
    .unwrap();
    let picture = Picture::decode(&foreign, "a", &Default::default()).unwrap();
    let greedy = SaveOptions {
        settings: Some(r#"{"studio": {"job": 9223372036854775807, "order": {}}}"#.into()),
        ..SaveOptions::default()
    };
    picture
        .save(&folder.path().join("results/greedy.png"), &greedy)
        .unwrap();
    let open = Open::new(&folder);
    let id = paint(&open, &order(40, "instant"));
    finished(&open, id);
    let row = open
        .results()
        .into_iter()
        .find(|row| row["id"] == id)
        .unwrap();
    assert_eq!(row["width"], 40, "{row}");
    assert_eq!(open.results().len(), 7);
}

#[test]
fn results_are_laid_on_a_sheet() {
    let folder = Folder::new();
    let open = Open::new(&folder);
    assert_eq!(open.get("/api/sheet").status, 404);
    for content in ["@lake", "@city"] {
        let order = with(order(48, "instant"), &[("content", json!(content))]);
        finished(&open, paint(&open, &order));
    }
    let sheet = |query: &str| {
        let answer = open.get(&format!("/api/sheet{query}"));
        let picture = Picture::decode(&answer.body, "sheet", &Default::default());
        picture.unwrap().width()
    };
    assert!(sheet("") > sheet("?text=city"));
    assert_eq!(open.get("/api/sheet?text=nothing").status, 404);
}

#[test]
fn exports_have_their_settings_or_nothing_of_us() {
    let folder = Folder::new();
    let open = Open::new(&folder);
    let id = paint(&open, &order(40, "instant"));
    finished(&open, id);
    let user = std::env::var("USER").unwrap_or_else(|_| "no-such-user".into());
    let path = folder.path().display().to_string();
    for (format, kind) in [
        ("png", "image/png"),
        ("jpeg", "image/jpeg"),
        ("webp", "image/webp"),
        ("tiff", "image/tiff"),
    ] {
        let with = open.get(&format!(
            "/api/results/{id}/export?format={format}&settings=1"
        ));
        assert_eq!(with.header("content-type"), Some(kind));
        assert!(
            with.header("content-disposition")
                .unwrap()
                .starts_with("attachment"),
            "{with:?}"
        );
        assert!(settings_of(&with.body).is_some(), "{format}");
        let without = open.get(&format!(
            "/api/results/{id}/export?format={format}&settings=0"
        ));
        assert_eq!(settings_of(&without.body), None, "{format}");
        for (export, words) in [
            (&with, vec![&*path, &open.token]),
            (
                &without,
                vec![&*path, &open.token, &*user, "impasto", "swirls", "lake"],
            ),
        ] {
            for word in words {
                let found = export
                    .body
                    .windows(word.len())
                    .any(|bytes| bytes.eq_ignore_ascii_case(word.as_bytes()));
                assert!(!found, "{format}: {word}");
            }
        }
    }
    assert_eq!(
        open.get(&format!("/api/results/{id}/export?format=exe"))
            .status,
        422
    );
}

#[test]
fn what_cannot_be_painted_says_why_and_the_queue_goes_on() {
    let folder = Folder::new();
    let open = Open::new(&folder);
    let options = SaveOptions::default();
    let clear = Picture::new(8, 8, vec![0.5; 192])
        .unwrap()
        .with_alpha(vec![0.0; 64])
        .unwrap();
    let sent = open
        .send("clear.png", &clear.encode(Format::Png, &options).unwrap())
        .json();
    let wct = with(order(32, "draft"), &[("recipe", json!("wct"))]);
    let clear = with(
        order(32, "instant"),
        &[("mask", sent["picture"]["id"].clone())],
    );
    let ids = queued(&open, &[wct, clear, order(32, "instant")]);
    open.until("the last one is painted", |_| {
        open.results()
            .iter()
            .any(|row| row["id"] == ids[2])
            .then_some(())
    });
    let jobs = open.get("/api/queue").json()["jobs"].clone();
    let failed = jobs
        .as_array()
        .unwrap()
        .iter()
        .find(|job| job["id"] == ids[0])
        .unwrap()
        .clone();
    assert_eq!(failed["state"], "failed");
    assert!(failed["problem"].as_str().unwrap().len() > 20, "{failed}");
}

#[test]
fn regions_are_painted_in_their_own_style_and_the_rest_is_kept() {
    let folder = Folder::new();
    let open = Open::new(&folder);
    let half = |left: f32| {
        let row = (0..32).map(|x| if x < 16 { left } else { 1.0 - left });
        let plane: Vec<f32> = (0..24).flat_map(|_| row.clone()).collect();
        let mask = Picture::new(32, 24, plane.repeat(3)).unwrap();
        let answer = open.send(
            "mask.png",
            &mask.encode(Format::Png, &SaveOptions::default()).unwrap(),
        );
        answer.json()["picture"]["id"].clone()
    };
    let regions = json!([{"mask": half(1.0), "picture": "@dots", "weight": 1}]);
    let id = paint(
        &open,
        &with(
            order(32, "instant"),
            &[
                ("styles", json!([])),
                ("regions", regions),
                ("mask", half(1.0)),
            ],
        ),
    );
    assert_eq!(finished(&open, id)["problem"], Value::Null);
    let bytes = open.get(&format!("/api/results/{id}/picture")).body;
    let painted = Picture::decode(&bytes, "a", &Default::default()).unwrap();
    let photo = impasto::examples::open("@lake").unwrap();
    let photo = photo.resized(
        painted.width(),
        painted.height(),
        impasto::picture::Filter::Bicubic,
    );
    let difference = |from: usize, to: usize| -> f32 {
        let columns = (0..painted.height()).flat_map(|y| (from..to).map(move |x| (x, y)));
        columns
            .map(|(x, y)| {
                (painted.rgb()[y * painted.width() + x] - photo.rgb()[y * painted.width() + x])
                    .abs()
            })
            .sum()
    };
    assert!(
        difference(20, 32) < 0.01 * difference(0, 12),
        "{} {}",
        difference(20, 32),
        difference(0, 12)
    );
}

/// The plan of a larger picture needs more, and is told before anything is painted.
#[test]
fn a_plan_says_what_a_larger_picture_takes() {
    let folder = Folder::new();
    let open = Open::new(&folder);
    let plan = |size: usize| {
        open.post("/api/plan", &order(size, "draft").to_string())
            .json()
    };
    let (small, large) = (plan(64), plan(256));
    assert!(
        large["bytes"].as_u64() > small["bytes"].as_u64(),
        "{small} {large}"
    );
    assert!(
        large["seconds"].as_f64() > small["seconds"].as_f64(),
        "{small} {large}"
    );
    open.assert_untouched();
}
