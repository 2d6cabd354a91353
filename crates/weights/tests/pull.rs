//! Fetching models from a hub that behaves and from one that does not. Nothing leaves this machine.

mod hub;

use hub::{Hub, Reply};
use impasto_weights::{
    Advice, Checkpoint, Checksum, Import, Installed, KnownNetwork, Model, Origin, Pull, PullError,
    PullEvent, PullFrom, Store, WeightTensor, write_safetensors,
};
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// A VGG of torchvision's names with narrow layers and a large classifier before, between and behind them.
fn checkpoint() -> Checkpoint {
    let mut tensors = BTreeMap::new();
    let mut add = |name: &str, shape: &[usize]| {
        let count: usize = shape.iter().product();
        let values = (0..count).map(|i| (i % 251) as f32 / 64.0).collect();
        let shape = shape.to_vec();
        tensors.insert(name.to_string(), WeightTensor { shape, values });
    };
    for (number, input, out) in [(0, 3, 16), (2, 16, 16), (5, 16, 32), (7, 32, 32)] {
        add(&format!("features.{number}.weight"), &[out, input, 3, 3]);
        add(&format!("features.{number}.bias"), &[out]);
    }
    add("classifier.0.weight", &[300, 300]);
    add("classifier.3.weight", &[200, 200]);
    add("head.fc.weight", &[300, 300]);
    Checkpoint {
        tensors,
        metadata: BTreeMap::new(),
    }
}

/// Bytes of the convolutions.
const NEEDED: usize = 4 * (16 * 27 + 16 + 16 * 144 + 16 + 32 * 144 + 32 + 32 * 288 + 32);

fn file_of(checkpoint: &Checkpoint) -> Arc<Vec<u8>> {
    let folder = impasto_testing::Folder::new();
    let path = folder.path().join("w");
    write_safetensors(&path, checkpoint, Default::default()).unwrap();
    Arc::new(std::fs::read(path).unwrap())
}

fn file() -> Arc<Vec<u8>> {
    file_of(&checkpoint())
}

/// A file of PyTorch, long enough for several ranges.
fn padded_pth() -> Arc<Vec<u8>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/torch_legacy_f32.pth");
    let mut bytes = std::fs::read(path).unwrap();
    bytes.resize(100_000, 0);
    Arc::new(bytes)
}

fn origin(url: String, checksum: Option<Checksum>) -> Origin {
    Origin {
        url: url.leak(),
        size: None,
        checksum,
        ranges: true,
    }
}

/// A model at these places. Models are constants; these live as long as the test's process.
fn model(origins: Vec<Origin>) -> &'static Model {
    Box::leak(Box::new(Model {
        name: "tiny",
        purpose: "a test",
        architecture: "vgg",
        parameters: NEEDED as u64 / 4,
        preprocessing: "torch",
        licence: "none",
        attribution: "nobody",
        origins: Box::leak(origins.into_boxed_slice()),
    }))
}

fn at(hub: &Hub) -> &'static Model {
    model(vec![origin(format!("{}/model", hub.url), None)])
}

struct Bench {
    store: Store,
    _folder: impasto_testing::Folder,
    events: Vec<String>,
    /// Bytes that were there at the last event of progress.
    done: u64,
    /// The total at the last event of progress.
    total: Option<u64>,
    /// Ends the download when so many bytes are there.
    stop_at: u64,
    pull: Pull,
}

impl Bench {
    fn new() -> Self {
        let folder = impasto_testing::Folder::new();
        Self {
            store: Store::at(folder.path().join("models")),
            _folder: folder,
            events: vec![],
            done: 0,
            total: None,
            stop_at: u64::MAX,
            pull: Pull {
                patience: Duration::from_secs(10),
                pause: Duration::from_millis(1),
                proxy: false,
                ..Pull::default()
            },
        }
    }

    fn run(&mut self, model: &'static Model) -> Result<Installed, PullError> {
        let Self {
            store,
            events,
            done,
            total,
            stop_at,
            pull,
            ..
        } = self;
        store.pull(model, pull, &mut |event| {
            match event {
                PullEvent::Progress {
                    done: d, total: t, ..
                } => {
                    (*done, *total) = (*d, *t);
                    if *d >= *stop_at {
                        return ControlFlow::Break(());
                    }
                }
                other => events.push(format!("{other:?}")),
            }
            ControlFlow::Continue(())
        })
    }

    fn left(&self) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(self.store.folder()).unwrap();
        let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
        paths.sort();
        paths
    }

    fn happened(&self, what: &str) -> bool {
        self.events.iter().any(|event| event.starts_with(what))
    }
}

#[track_caller]
fn installed_right(installed: &Installed) {
    let mut whole = checkpoint();
    whole
        .tensors
        .retain(|name, _| name.starts_with("features.") && !name.ends_with("unused"));
    let wanted = whole.into_vgg("wanted").unwrap().tensors;
    assert_eq!(Checkpoint::open(&installed.path).unwrap().tensors, wanted);
    assert_eq!(installed.preprocessing, "torch");
    assert_eq!(installed.licence.as_deref(), Some("none"));
}

#[test]
fn only_the_convolutions_are_fetched() {
    let file = file();
    let hub = Hub::always(Reply::File(file.clone()));
    let mut bench = Bench::new();
    let installed = bench.run(at(&hub)).unwrap();
    installed_right(&installed);
    assert_eq!(installed.verified, None);
    assert!(!bench.happened("WholeFile"));
    // The header comes with the first request; of the rest, no more than the convolutions.
    let first = hub.log()[0].sent;
    assert!(hub.sent() - first <= NEEDED, "{:?}", hub.log());
    assert!(hub.sent() < file.len() / 4);
    assert_eq!(Some(bench.done), bench.total);
    assert!(bench.done >= NEEDED as u64 && bench.done < (NEEDED + first) as u64);
    // Nothing is left but the model.
    assert_eq!(bench.left(), [installed.path]);
    assert!(bench.store.verify("tiny").is_ok());

    let before = hub.log().len();
    let again = bench.run(at(&hub)).unwrap_err().to_string();
    assert!(again.contains("installed already"), "{again}");
    assert_eq!(
        hub.log().len(),
        before,
        "it asked although nothing was needed"
    );
}

#[test]
fn less_is_fetched_if_less_is_asked_for() {
    let hub = Hub::always(Reply::File(file()));
    let mut bench = Bench::new();
    bench.pull.last = Some((1, 2));
    let installed = bench.run(at(&hub)).unwrap();
    assert_eq!(installed.last, "conv1_2");
    assert!(bench.done < NEEDED as u64 / 4, "{}", bench.done);
    bench.pull.last = Some((4, 1));
    bench.pull.replace = true;
    let message = bench.run(at(&hub)).unwrap_err().to_string();
    assert!(message.contains("no conv4_1"), "{message}");
}

/// The format is told from 512 bytes, also where a shorter header is followed by what is not needed.
#[test]
fn a_short_header_is_enough() {
    let mut short = checkpoint();
    let first = ["features.0.weight", "features.0.bias"];
    short
        .tensors
        .retain(|name, _| first.contains(&name.as_str()));
    short.tensors.insert(
        "a".into(),
        WeightTensor {
            shape: vec![40_000],
            values: vec![0.0; 40_000],
        },
    );
    let hub = Hub::always(Reply::File(file_of(&short)));
    let installed = Bench::new().run(at(&hub)).unwrap();
    assert_eq!(installed.last, "conv1_1");
    assert!(hub.sent() < 40_000, "{:?}", hub.log());
}

#[test]
fn a_file_that_no_reader_would_take_is_not_fetched() {
    let hub = Hub::new(|path, _| match path {
        "/model" => Reply::Claims(206, 3 << 30),
        _ => Reply::Claims(200, 3 << 30),
    });
    for path in ["/model", "/whole"] {
        let place = model(vec![origin(format!("{}{path}", hub.url), None)]);
        let message = Bench::new().run(place).unwrap_err().to_string();
        assert!(message.contains("more than 2147483648"), "{message}");
    }
    // Nor one of another size than is stated.
    let file = file();
    let size = file.len() as u64;
    for reply in [Reply::File(file.clone()), Reply::Whole(file)] {
        let hub = Hub::always(reply);
        let mut other = origin(format!("{}/model", hub.url), None);
        other.size = Some(size + 1);
        let mut bench = Bench::new();
        let message = bench.run(model(vec![other])).unwrap_err().to_string();
        assert!(
            message.contains(&format!("should have {}", size + 1)),
            "{message}"
        );
        assert_eq!((bench.done, hub.log().len()), (0, 1));
    }
}

#[test]
fn a_long_header_is_fetched_to_its_end() {
    let mut long = checkpoint();
    long.metadata.insert("note".into(), "x".repeat(50_000));
    let hub = Hub::always(Reply::File(file_of(&long)));
    installed_right(&Bench::new().run(at(&hub)).unwrap());
    assert_eq!(
        hub.log()[1].range,
        Some(1 << 15..hub.log()[1].range.clone().unwrap().end)
    );
}

#[test]
fn a_server_without_ranges_gives_the_whole_file() {
    let file = file();
    for reply in [Reply::Whole(file.clone()), Reply::Endless(file.clone())] {
        let known = matches!(reply, Reply::Whole(_));
        let hub = Hub::always(reply);
        let mut bench = Bench::new();
        installed_right(&bench.run(at(&hub)).unwrap());
        let expected = match known {
            true => format!("WholeFile {{ bytes: Some({}) }}", file.len()),
            false => "WholeFile { bytes: None }".into(),
        };
        assert!(bench.happened(&expected), "{:?}", bench.events);
        assert_eq!(bench.done, file.len() as u64);
    }
}

#[test]
fn a_file_of_another_format_is_fetched_whole_and_by_ranges() {
    let hub = Hub::always(Reply::Cut(padded_pth(), 40_000));
    let mut bench = Bench::new();
    let installed = bench.run(at(&hub)).unwrap();
    assert_eq!(installed.last, "conv2_1");
    assert!(bench.happened("WholeFile { bytes: Some(100000) }"));
    assert_eq!(hub.sent(), 100_000);
}

/// The connection ends at each tenth of what is needed; the next pull goes on there.
#[test]
fn a_download_cut_at_any_tenth_goes_on_where_it_was() {
    for file in [file(), padded_pth()] {
        let uncut = Hub::always(Reply::File(file.clone()));
        Bench::new().run(at(&uncut)).unwrap();
        // The first request is for the header, which is only kept whole.
        let first = uncut.log()[0].sent;
        for tenth in 0..10 {
            let cut = uncut.sent() * tenth / 10;
            let left = Arc::new(AtomicUsize::new(cut));
            let hub = Hub::always(Reply::Until(file.clone(), left.clone()));
            let mut bench = Bench::new();
            bench.pull.attempts = 1;
            let error = bench.run(at(&hub)).unwrap_err();
            let (message, advice) = (error.to_string(), error.advice());
            assert!(message.contains("the connection"), "{message}");
            let Some(Advice::ByHand { kept: told, .. }) = advice else {
                panic!("{advice:?}")
            };
            let kept = bench.store.unfinished("tiny");
            assert_eq!(kept.is_some(), cut >= first, "{tenth}");
            assert_eq!(told, kept.is_some());
            left.store(usize::MAX, Ordering::SeqCst);
            let installed = bench.run(at(&hub)).unwrap();
            assert!(installed.parameters > 0);
            // Not a byte twice, but those of a header that had not arrived.
            let twice = if cut < first { cut } else { 0 };
            assert_eq!(hub.sent(), uncut.sent() + twice, "{tenth}: {:?}", hub.log());
        }
    }
}

#[test]
fn a_whole_file_without_ranges_is_started_anew_when_it_was_cut() {
    let file = file();
    for tenth in 0..10 {
        let cut = file.len() * tenth / 10;
        let hub = Hub::new({
            let file = file.clone();
            move |_, n| match n {
                0 => Reply::WholeCut(file.clone(), cut),
                _ => Reply::Whole(file.clone()),
            }
        });
        let mut bench = Bench::new();
        installed_right(&bench.run(at(&hub)).unwrap());
        assert!(bench.happened("Retrying"), "{:?}", bench.events);
        assert_eq!(hub.sent(), cut + file.len());
    }
}

/// When the network is down, every place fails; what came from the first one must survive the others.
#[test]
fn what_is_here_outlives_other_places_that_do_not_answer() {
    let file = file();
    let left = Arc::new(AtomicUsize::new(50_000));
    let hub = Hub::always(Reply::Until(file, left.clone()));
    let gone = Hub::always(Reply::Status(404));
    let both = model(vec![
        origin(format!("{}/gone", gone.url), None),
        origin(format!("{}/model", hub.url), None),
        origin(format!("{}/gone too", gone.url), None),
    ]);
    let mut bench = Bench::new();
    bench.pull.attempts = 2;
    let advice = bench.run(both).unwrap_err().advice();
    assert!(
        matches!(advice, Some(Advice::ByHand { kept: true, .. })),
        "{advice:?}"
    );
    let kept = bench.store.unfinished("tiny").unwrap();
    assert!(kept > 15_000, "{kept}");
    let before = hub.sent();
    left.store(usize::MAX, Ordering::SeqCst);
    installed_right(&bench.run(both).unwrap());
    let rest = bench.total.unwrap() - kept;
    assert_eq!((hub.sent() - before) as u64, rest);
}

#[test]
fn a_hash_tells_versions_better_than_an_etag() {
    let file = file();
    let hub = Hub::new(move |path, n| match path {
        "/model" => Reply::Redirect(
            "/storage".into(),
            format!("X-Linked-ETag: \"{}\"\r\n", "ab".repeat(32)),
        ),
        // Every machine of the storage has an ETag of its own.
        _ => Reply::Tagged(file.clone(), ["one", "two", "three"][n % 3]),
    });
    installed_right(&Bench::new().run(at(&hub)).unwrap());
}

#[test]
fn one_pull_survives_many_cuts_while_there_is_progress() {
    let file = file();
    let hub = Hub::new(move |_, n| match n {
        0 => Reply::File(file.clone()),
        _ => Reply::Cut(file.clone(), 3000),
    });
    let mut bench = Bench::new();
    bench.pull.attempts = 2;
    installed_right(&bench.run(at(&hub)).unwrap());
    assert!(hub.log().len() > 20);
    assert!(bench.happened("Retrying"));
}

#[test]
fn wrong_bytes_are_thrown_away_and_the_next_place_is_tried() {
    let good = file();
    let mut bad = (*good).clone();
    let last = bad.len() - 1;
    bad[last] ^= 1;
    let sha256 = {
        // The installed file of an import says the hash of what it was made of.
        let folder = impasto_testing::Folder::new();
        let path = folder.path().join("w.safetensors");
        std::fs::write(&path, &*good).unwrap();
        let store = Store::at(folder.path().join("m"));
        let installed = store.import(&path, &Import::default()).unwrap();
        installed.origin_sha256.unwrap()
    };
    let checksum = Some(Checksum::Sha256(sha256.clone().leak()));
    let hub = Hub::new(move |path, _| match path {
        "/bad" => Reply::Whole(Arc::new(bad.clone())),
        "/portal" => Reply::Whole(Arc::new(b"<html>log in</html>".to_vec())),
        _ => Reply::Whole(good.clone()),
    });
    let place = |path: &str| origin(format!("{}{path}", hub.url), checksum);
    let mut bench = Bench::new();
    let installed = bench
        .run(model(vec![place("/bad"), place("/portal"), place("/good")]))
        .unwrap();
    installed_right(&installed);
    assert_eq!(installed.verified, Some(format!("SHA-256 {sha256}")));
    assert_eq!(installed.origin_sha256, Some(sha256.clone()));
    assert!(bench.happened("Failed"), "{:?}", bench.events);

    let mut bench = Bench::new();
    let message = bench
        .run(model(vec![place("/bad")]))
        .unwrap_err()
        .to_string();
    assert!(
        message.contains("the file is wrong: its SHA-256 is") && message.contains(&sha256),
        "{message}"
    );
    assert_eq!(bench.left(), Vec::<PathBuf>::new());
    let portal = model(vec![origin(format!("{}/portal", hub.url), None)]);
    let message = bench.run(portal).unwrap_err().to_string();
    assert!(message.contains("a web page"), "{message}");
}

#[test]
fn numbers_that_are_none_are_refused_after_a_download_of_parts() {
    let mut wrong = checkpoint();
    let bias = wrong.tensors.get_mut("features.7.bias").unwrap();
    bias.values[31] = f32::NAN;
    let hub = Hub::always(Reply::File(file_of(&wrong)));
    let mut bench = Bench::new();
    let message = bench.run(at(&hub)).unwrap_err().to_string();
    assert!(message.contains("holds NaN"), "{message}");
    assert_eq!(bench.left(), Vec::<PathBuf>::new());
}

#[test]
fn what_a_hub_says_of_the_whole_file_is_compared() {
    let file = file();
    let stated = "ab".repeat(32);
    let hub = Hub::new({
        let (file, stated) = (file.clone(), stated.clone());
        move |path, _| match path {
            "/model" => Reply::Redirect(
                "/storage".into(),
                format!("X-Linked-ETag: \"{stated}\"\r\n"),
            ),
            _ => Reply::File(file.clone()),
        }
    });
    let place = |digits: &str| {
        let checksum = Checksum::Sha256(digits.to_string().leak());
        model(vec![origin(format!("{}/model", hub.url), Some(checksum))])
    };
    let installed = Bench::new().run(place(&stated)).unwrap();
    let verified = installed.verified.unwrap();
    assert!(verified.contains("by the word of the server"), "{verified}");
    let message = Bench::new()
        .run(place(&"cd".repeat(32)))
        .unwrap_err()
        .to_string();
    assert!(message.contains("it should be cdcd"), "{message}");
}

#[test]
fn statuses_are_told_apart() {
    let file = file();
    // Passing ones are tried again.
    for status in [500, 502, 503, 429] {
        let file = file.clone();
        let hub = Hub::new(move |_, n| match n {
            0 => Reply::Status(status),
            _ => Reply::File(file.clone()),
        });
        let mut bench = Bench::new();
        installed_right(&bench.run(at(&hub)).unwrap());
        assert!(bench.happened("Retrying"), "{:?}", bench.events);
    }
    // Lasting ones are not; the next place is.
    for (status, expected) in [
        (404, "is not there"),
        (403, "refused"),
        (401, "refused"),
        (418, "418"),
    ] {
        let file = file.clone();
        let hub = Hub::new(move |path, _| match path {
            "/good" => Reply::File(file.clone()),
            _ => Reply::Status(status),
        });
        let bad = || origin(format!("{}/bad", hub.url), None);
        let good = origin(format!("{}/good", hub.url), None);
        let error = Bench::new().run(model(vec![bad()])).unwrap_err();
        let (message, advice) = (error.to_string(), error.advice().unwrap().to_string());
        assert!(message.contains(expected), "{message}");
        for part in [
            "try again later",
            "HTTPS_PROXY",
            "the name tiny",
            "a mirror",
        ] {
            assert!(advice.contains(part), "{part}: {advice}");
        }
        assert_eq!(hub.log().len(), 1);
        installed_right(&Bench::new().run(model(vec![bad(), good])).unwrap());
    }
    // And a server that never recovers is given up.
    let hub = Hub::always(Reply::Status(500));
    let message = Bench::new().run(at(&hub)).unwrap_err().to_string();
    assert!(message.contains("status 500"), "{message}");
    assert_eq!(hub.log().len(), 4);
}

#[test]
fn redirects_are_followed_but_not_for_ever() {
    let file = file();
    let other = Hub::always(Reply::File(file));
    let elsewhere = format!("{}/storage/model?signed=1", other.url);
    let hub = Hub::new(move |path, _| match path {
        "/model" => Reply::Redirect("b/model".into(), String::new()),
        "/b/model" => Reply::Redirect("/c".into(), String::new()),
        "/c" => Reply::Redirect(elsewhere.clone(), String::new()),
        _ => Reply::Redirect(path.to_string(), String::new()),
    });
    installed_right(&Bench::new().run(at(&hub)).unwrap());
    assert_eq!(other.log()[0].path, "/storage/model?signed=1");
    let circle = model(vec![origin(format!("{}/circle", hub.url), None)]);
    let message = Bench::new().run(circle).unwrap_err().to_string();
    assert!(
        message.contains("redirects more than 10 times"),
        "{message}"
    );
}

#[test]
fn silence_and_trickles_are_given_up_in_time() {
    let file = file();
    for (reply, expected) in [
        (Reply::Silence(Duration::from_secs(20)), "did not answer"),
        (
            Reply::Trickle(file.clone(), Duration::from_millis(20)),
            "less than a kilobyte",
        ),
        (
            Reply::Trickle(file, Duration::from_secs(20)),
            "did not answer",
        ),
    ] {
        let hub = Hub::always(reply);
        let mut bench = Bench::new();
        bench.pull.patience = Duration::from_millis(300);
        bench.pull.attempts = 2;
        let began = Instant::now();
        let message = bench.run(at(&hub)).unwrap_err().to_string();
        assert!(message.contains(expected), "{expected}: {message}");
        assert!(began.elapsed() < Duration::from_secs(10));
    }
}

#[test]
fn no_server_at_all_is_an_error_with_advice() {
    // A port that was free a moment ago.
    let port = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let nobody = model(vec![origin(format!("http://127.0.0.1:{port}/model"), None)]);
    let error = Bench::new().run(nobody).unwrap_err();
    let (message, advice) = (error.to_string(), error.advice());
    assert!(message.contains("connection failed"), "{message}");
    assert!(
        matches!(advice, Some(Advice::ByHand { kept: false, .. })),
        "{advice:?}"
    );
    // A name that is too long for any question about it to be sent.
    let name = "x".repeat(64);
    let nowhere = model(vec![origin(format!("http://{name}.invalid/model"), None)]);
    let message = Bench::new().run(nowhere).unwrap_err().to_string();
    assert!(message.contains("offline"), "{message}");
}

#[test]
fn another_file_at_the_same_address_is_started_anew() {
    let file = file();
    let mut newer = checkpoint();
    newer.metadata.insert("version".into(), "2".into());
    let newer = file_of(&newer);
    let hub = Hub::new(move |_, n| match n {
        0 | 1 => Reply::Tagged(file.clone(), "one"),
        _ => Reply::Tagged(newer.clone(), "two"),
    });
    let mut bench = Bench::new();
    bench.stop_at = NEEDED as u64 / 2;
    assert!(matches!(
        bench.run(at(&hub)),
        Err(PullError::Stopped { .. })
    ));
    assert!(bench.done > 0);
    bench.stop_at = u64::MAX;
    let installed = bench.run(at(&hub)).unwrap();
    installed_right(&installed);
    assert_eq!(
        Checkpoint::open(&installed.path).unwrap().metadata["version"],
        "2"
    );
}

#[test]
fn who_stops_can_go_on_and_only_one_fetches() {
    let hub = Hub::always(Reply::File(file()));
    let mut bench = Bench::new();
    bench.stop_at = NEEDED as u64 / 2;
    let advice = bench.run(at(&hub)).unwrap_err().advice();
    assert!(matches!(advice, Some(Advice::PullOn { .. })), "{advice:?}");
    assert_eq!(bench.left().len(), 2);
    let part = std::fs::File::open(&bench.left()[0]).unwrap();
    part.lock().unwrap();
    assert!(matches!(bench.run(at(&hub)), Err(PullError::Busy { .. })));
    drop(part);
    let before = hub.sent();
    bench.stop_at = u64::MAX;
    installed_right(&bench.run(at(&hub)).unwrap());
    assert!(hub.sent() - before <= NEEDED / 2 + (1 << 16));
    // What is left of a download goes with the model.
    bench.stop_at = 1;
    bench.pull.replace = true;
    let _ = bench.run(at(&hub));
    bench.store.remove("tiny").unwrap();
    assert_eq!(bench.left(), Vec::<PathBuf>::new());
}

#[test]
fn mirrors_files_and_folders_serve_as_well() {
    let file = file();
    let hub = Hub::always(Reply::File(file.clone()));
    let nowhere = model(vec![origin("http://127.0.0.1:9/model.pth".into(), None)]);
    let mut bench = Bench::new();
    bench.pull.from = Some(PullFrom::parse(&format!("{}/mirror", hub.url)));
    installed_right(&bench.run(nowhere).unwrap());
    assert_eq!(hub.log()[0].path, "/mirror");

    let folder = impasto_testing::Folder::new();
    let path = folder.path().join("model.pth");
    std::fs::write(&path, &*file).unwrap();
    bench.pull.replace = true;
    for from in [&path, folder.path()] {
        bench.pull.from = Some(PullFrom::parse(&from.display().to_string()));
        installed_right(&bench.run(nowhere).unwrap());
    }
    bench.pull.from = Some(PullFrom::Path(impasto_testing::Folder::new().path().into()));
    assert!(
        bench
            .run(nowhere)
            .unwrap_err()
            .to_string()
            .contains("cannot read")
    );
    let empty = impasto_testing::Folder::new();
    bench.pull.from = Some(PullFrom::Path(empty.path().into()));
    let message = bench.run(nowhere).unwrap_err().to_string();
    assert!(message.contains("tiny.safetensors, model.pth"), "{message}");
}

#[test]
fn a_folder_that_cannot_be_written_is_named() {
    let hub = Hub::always(Reply::File(file()));
    let mut bench = Bench::new();
    let folder = impasto_testing::Folder::new();
    bench.store = Store::at(folder.impossible());
    let message = bench.run(at(&hub)).unwrap_err().to_string();
    assert!(message.contains("below a file"), "{message}");
    assert!(hub.log().is_empty());
}

/// A network of two files at a hub, with what is stated of the second.
fn network(hub: &Hub, checksum: Option<Checksum>) -> &'static KnownNetwork {
    let whole = |file: &str, checksum| Origin {
        ranges: false,
        ..origin(format!("{}/{file}", hub.url), checksum)
    };
    let files = vec![("a.pth", whole("a", None)), ("b.pth", whole("b", checksum))];
    Box::leak(Box::new(KnownNetwork {
        name: "pair",
        purpose: "a test",
        licence: "none",
        research_only: false,
        attribution: "nobody",
        files: Box::leak(files.into_boxed_slice()),
    }))
}

#[test]
fn a_network_of_several_files_is_fetched_file_by_file() {
    let hub = Hub::always(Reply::Whole(padded_pth()));
    let bench = Bench::new();
    let silent = &mut |_: &PullEvent<'_>| ControlFlow::Continue(());
    let other = network(&hub, Some(Checksum::Sha256Prefix("00000000")));
    let problem = bench.store.pull_network(other, &bench.pull, silent);
    let problem = problem.unwrap_err().to_string();
    assert!(
        problem.contains("is another file than the one"),
        "{problem}"
    );
    // What was right is there, what was wrong is not, and nothing is left of it.
    let folder = bench.store.network_folder(other);
    let names = || {
        let entries = std::fs::read_dir(&folder).unwrap();
        let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        names
    };
    assert_eq!(names(), ["a.pth"]);
    let asked = hub.log().len();
    let known = network(&hub, None);
    let made = bench
        .store
        .pull_network(known, &bench.pull, silent)
        .unwrap();
    assert_eq!(
        (made.as_path(), names()),
        (folder.as_path(), vec!["a.pth".into(), "b.pth".into()])
    );
    // The first one is not fetched again.
    assert!(
        hub.log()[asked..]
            .iter()
            .all(|request| request.path == "/b")
    );
}
