//! What every target of films does with its bytes.

use impasto_video::{Backend, ReadOptions, Source};
use std::io::Write;

/// Frames of a film that are looked at.
const FRAMES: u64 = 24;

/// Reads `bytes` as a film, as the program would without ffmpeg, and checks what a reader promises.
pub fn read(bytes: &[u8]) {
    let mut file = tempfile::NamedTempFile::new().expect("a folder for temporary files");
    file.write_all(bytes).expect("space");
    let options = ReadOptions {
        backend: Backend::Native,
        ..ReadOptions::default()
    };
    let mut source = match Source::open(file.path(), &options) {
        Ok(source) => source,
        Err(error) => return assert!(!error.to_string().is_empty()),
    };
    let (width, height) = (source.info().width, source.info().height);
    assert!(width > 0 && height > 0);
    let mut last = None;
    for number in 0..FRAMES {
        match source.next_frame() {
            Ok(Some(frame)) => {
                assert!(frame.picture.is_whole());
                assert_eq!(frame.number, number);
                assert_eq!((frame.picture.width, frame.picture.height), (width, height));
                assert!(last.is_none_or(|last| last <= frame.time.start));
                last = Some(frame.time.start);
            }
            Ok(None) => break,
            Err(error) => {
                assert!(!error.to_string().is_empty());
                assert!(matches!(source.next_frame(), Ok(None)), "after an error there is nothing");
                return;
            }
        }
    }
    drop(source.sound());
    // From another place on, if the reader can.
    let Ok(mut source) = Source::open(file.path(), &options) else {
        panic!("what was read once is read again");
    };
    if source.seek(3).is_ok() {
        drop(source.next_frame());
    }
}
