//! Fetching from a folder, and from a small HTTP server on this machine.

// What is cut here is known.
#![allow(clippy::string_slice)]

use std::{
    io::{BufRead, BufReader, Write},
    net::TcpListener,
    sync::{Arc, Mutex},
    thread,
};

use flate2::{Compression, write::GzEncoder};

use super::*;
use crate::locate::tests::{FRUIT, NUTS, PULSE, groceries, write_groceries};

/// A server that answers each request by a function of its path and of the first byte asked for.
pub(crate) struct Server {
    pub(crate) address: String,
    /// The requests so far.
    requests: Arc<Mutex<Vec<Request>>>,
}

/// Path and first byte asked for.
type Request = (String, Option<usize>);

impl Server {
    pub(crate) fn start(answer: impl Fn(&str, Option<usize>) -> Vec<u8> + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}/", listener.local_addr().unwrap());
        let requests = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&requests);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let lines = BufReader::new(&stream).lines().map_while(Result::ok);
                let head: Vec<String> = lines.take_while(|line| !line.is_empty()).collect();
                let path = head[0].split(' ').nth(1).unwrap().to_owned();
                let start = head.iter().find_map(|line| {
                    let line = line.to_ascii_lowercase();
                    line.strip_prefix("range: bytes=")?.strip_suffix('-')?.parse().ok()
                });
                log.lock().unwrap().push((path.clone(), start));
                // The client hangs up in the middle when an answer is too long.
                let _ = stream.write_all(&answer(&path, start));
            }
        });
        Self { address, requests }
    }

    fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }
}

fn answer(status: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let head = format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n");
    [head.as_bytes(), headers.as_bytes(), b"\r\n", body].concat()
}

fn not_found() -> Vec<u8> {
    answer("404 Not Found", "", b"no such thing")
}

fn content(path: &str) -> Option<&'static [u8]> {
    [("/fruit.txt", FRUIT), ("/pulse.txt", PULSE), ("/nuts.txt", NUTS)]
        .into_iter()
        .find_map(|(name, content)| (name == path).then_some(content.as_bytes()))
}

/// Serves all files, without ranges.
pub(crate) fn whole(path: &str, _: Option<usize>) -> Vec<u8> {
    content(path).map_or_else(not_found, |content| answer("200 OK", "", content))
}

/// Serves all files, with ranges.
fn ranges(path: &str, start: Option<usize>) -> Vec<u8> {
    match (content(path), start) {
        (Some(content), Some(start)) if start < content.len() => {
            let (last, length) = (content.len() - 1, content.len());
            let range = format!("Content-Range: bytes {start}-{last}/{length}\r\n");
            answer("206 Partial Content", &range, &content[start..])
        }
        (Some(_), Some(_)) => answer("416 Range Not Satisfiable", "", b""),
        _ => whole(path, None),
    }
}

fn fetch_from(mirrors: &[&Server], root: &Path) -> Result<Vec<PathBuf>, DataError> {
    let mut publication = groceries();
    publication.mirrors = mirrors.iter().map(|server| server.address.clone()).collect();
    fetch_published(&publication, root, None, &mut |_| {}).map(|fetched| fetched.files)
}

fn read(root: &Path, name: &str) -> String {
    fs::read_to_string(root.join("groceries").join(name)).unwrap()
}

/// The names in a folder, sorted.
fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn all_files_are_downloaded_with_progress_and_then_left_alone() {
    let (server, root) = (Server::start(whole), tempfile::tempdir().unwrap());
    let mut publication = groceries();
    publication.mirrors = vec![server.address.clone()];
    let mut last = (0, None);
    let mut progress = |progress: FetchProgress<'_>| last = (progress.done, progress.total);
    let paths = fetch_published(&publication, root.path(), None, &mut progress).unwrap().files;
    assert_eq!(last, (NUTS.len() as u64, Some(NUTS.len() as u64)));
    assert_eq!(paths.len(), 3);
    assert_eq!(read(root.path(), "fruit.txt"), FRUIT);
    assert_eq!(names(&root.path().join("groceries")), ["fruit.txt", "nuts.txt", "pulse.txt"]);
    assert_eq!(fetch_from(&[&server], root.path()).unwrap(), paths);
    assert_eq!(server.requests().len(), 3);
}

/// Leaves `start` of `fruit.txt` as an earlier download would, then fetches.
fn resume(server: &Server, start: &str) -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("groceries");
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("fruit.txt.partial"), start).unwrap();
    fetch_from(&[server], root.path()).unwrap();
    assert_eq!(read(root.path(), "fruit.txt"), FRUIT);
    assert_eq!(names(&folder), ["fruit.txt", "nuts.txt", "pulse.txt"]);
    root
}

#[test]
fn a_download_that_broke_off_is_resumed() {
    let server = Server::start(ranges);
    resume(&server, &FRUIT[..7]);
    assert_eq!(server.requests()[0], ("/fruit.txt".to_owned(), Some(7)));
    assert_eq!(server.requests().len(), 3);
}

#[test]
fn a_server_that_ignores_the_range_is_understood() {
    let server = Server::start(whole);
    resume(&server, &FRUIT[..7]);
    assert_eq!(server.requests()[0].1, Some(7));
}

#[test]
fn a_partial_file_that_is_already_whole_is_taken() {
    resume(&Server::start(ranges), FRUIT);
}

#[test]
fn a_partial_file_of_something_else_is_fetched_anew() {
    let server = Server::start(ranges);
    resume(&server, "plums a");
    assert_eq!(server.requests()[..2].iter().map(|r| r.1).collect::<Vec<_>>(), [Some(7), None]);
    resume(&Server::start(ranges), "a text that is longer than the published one");
}

#[test]
fn what_arrived_before_the_connection_broke_is_kept_for_the_next_time() {
    let breaks = |path: &str, start| match path {
        "/fruit.txt" => {
            let whole = whole(path, start);
            whole[..whole.len() - 6].to_vec()
        }
        _ => whole(path, start),
    };
    let root = tempfile::tempdir().unwrap();
    let error = fetch_from(&[&Server::start(breaks)], root.path()).unwrap_err().to_string();
    assert!(error.contains("broke off after 10"), "{error}");
    assert!(error.contains("data fetch groceries --from DIR"), "{error}");
    assert_eq!(read(root.path(), "fruit.txt.partial"), FRUIT[..10]);
    let server = Server::start(ranges);
    fetch_from(&[&server], root.path()).unwrap();
    assert_eq!(server.requests()[0].1, Some(10));
    assert_eq!(read(root.path(), "fruit.txt"), FRUIT);
}

#[test]
fn too_large_a_body_is_broken_off_and_leaves_nothing() {
    let announced = |_: &str, _| answer("200 OK", "", &[b'x'; 100]);
    let unannounced = |_: &str, _| [&b"HTTP/1.1 200 OK\r\n\r\n"[..], &[b'x'; 1 << 20]].concat();
    for server in [Server::start(announced), Server::start(unannounced)] {
        let root = tempfile::tempdir().unwrap();
        let error = fetch_from(&[&server], root.path()).unwrap_err().to_string();
        assert!(error.contains("more than the 16 bytes"), "{error}");
        assert_eq!(names(root.path()), [""; 0]);
    }
}

#[test]
fn a_wrong_checksum_leaves_nothing() {
    let server = Server::start(|_, _| answer("200 OK", "", b"peaches and nuts"));
    let parent = tempfile::tempdir().unwrap();
    let error = fetch_from(&[&server], &parent.path().join("datasets")).unwrap_err().to_string();
    assert!(error.contains("expected the published file with SHA-256"), "{error}");
    assert_eq!(names(parent.path()), [""; 0]);
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn the_second_mirror_is_asked_when_the_first_has_not_got_it() {
    let (first, second) = (Server::start(|_, _| not_found()), Server::start(whole));
    let root = tempfile::tempdir().unwrap();
    fetch_from(&[&first, &second], root.path()).unwrap();
    assert_eq!(first.requests().len(), 3);
    assert_eq!(read(root.path(), "pulse.txt"), PULSE);
    let error = fetch_from(&[&first], &root.path().join("new")).unwrap_err().to_string();
    assert!(error.contains("HTTP status 404") && error.contains(&first.address), "{error}");
}

#[test]
fn a_mirror_that_is_not_there_is_an_error_that_names_it() {
    let root = tempfile::tempdir().unwrap();
    // Where nobody listens. A port that was free a moment ago may be that of another test's server by now.
    let from = "http://127.0.0.1:1/data".to_owned();
    let result = fetch_published(&groceries(), root.path(), Some(&from), &mut |_| {});
    let error = result.unwrap_err().to_string();
    assert!(error.contains(&format!("{from}/fruit.txt: ")), "{error}");
}

#[test]
fn a_destination_that_cannot_be_written_is_an_error_that_names_it() {
    let root = tempfile::tempdir().unwrap();
    let file = root.path().join("datasets");
    fs::write(&file, "a file, not a folder").unwrap();
    let error = fetch_from(&[&Server::start(whole)], &file).unwrap_err();
    assert!(matches!(error, DataError::Write { .. }), "{error}");
    assert!(error.to_string().contains("datasets/groceries"), "{error}");
}

#[test]
fn a_file_that_another_process_writes_is_left_to_it() {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("groceries");
    fs::create_dir(&folder).unwrap();
    let _held = Partial::open(&folder.join("fruit.txt")).unwrap();
    let error = fetch_from(&[&Server::start(whole)], root.path()).unwrap_err();
    assert!(matches!(error, DataError::Busy { .. }), "{error}");
}

fn fetch_from_path(publication: &Publication, from: &Path, root: &Path) -> Result<(), DataError> {
    fetch_published(publication, root, from.to_str(), &mut |_| {}).map(drop)
}

#[test]
fn files_at_hand_are_copied_from_the_folder_or_the_one_in_it() {
    for below in ["", "groceries", "Groceries/raw"] {
        let (from, root) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        write_groceries(&from.path().join(below));
        fetch_from_path(&groceries(), from.path(), root.path()).unwrap();
        assert_eq!(names(&root.path().join("groceries")), ["fruit.txt", "pulse.txt"]);
        assert_eq!(read(root.path(), "fruit.txt"), FRUIT);
    }
}

#[test]
fn a_file_at_hand_that_is_not_the_published_one_is_not_copied() {
    let (from, root) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    write_groceries(from.path());
    fs::write(from.path().join("pulse.txt"), "peas!").unwrap();
    let error = fetch_from_path(&groceries(), from.path(), root.path()).unwrap_err();
    assert!(matches!(error, DataError::Checksum { .. }), "{error}");
    assert!(error.to_string().contains("--data-dir"), "{error}");
    assert_eq!(names(&root.path().join("groceries")), ["fruit.txt"]);
}

#[test]
fn a_folder_that_lacks_a_file_or_is_not_there_is_an_error_that_names_it() {
    let (from, root) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    fs::write(from.path().join("fruit.txt"), FRUIT).unwrap();
    let error = fetch_from_path(&groceries(), from.path(), root.path()).unwrap_err().to_string();
    assert!(error.contains("expected pulse.txt or pulse.txt.gz in it, found none"), "{error}");
    let nowhere = from.path().join("nowhere");
    let error = fetch_from_path(&groceries(), &nowhere, root.path()).unwrap_err().to_string();
    assert!(error.contains("nowhere"), "{error}");
    assert_eq!(names(root.path()), [""; 0]);
}

#[test]
fn a_damaged_file_in_the_destination_makes_way_but_is_kept() {
    let (from, root) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    write_groceries(from.path());
    let folder = root.path().join("groceries");
    write_groceries(&folder);
    fs::write(folder.join("fruit.txt"), "rotten").unwrap();
    fetch_from_path(&groceries(), from.path(), root.path()).unwrap();
    assert_eq!(names(&folder), ["fruit.txt", "fruit.txt.unverified", "pulse.txt"]);
    assert_eq!(read(root.path(), "fruit.txt"), FRUIT);
    assert_eq!(read(root.path(), "fruit.txt.unverified"), "rotten");
}

#[test]
fn what_was_set_aside_before_is_never_written_over_and_the_user_is_told() {
    let (from, root) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    write_groceries(from.path());
    let folder = root.path().join("groceries");
    write_groceries(&folder);
    for (own, kept_as) in
        [("first", "unverified"), ("second", "unverified-2"), ("3", "unverified-3")]
    {
        fs::write(folder.join("fruit.txt"), own).unwrap();
        let from = from.path().to_str();
        let fetched = fetch_published(&groceries(), root.path(), from, &mut |_| {}).unwrap();
        assert_eq!(fetched.notes.len(), 1);
        assert!(fetched.notes[0].ends_with(&format!("fruit.txt.{kept_as}")), "{:?}", fetched.notes);
    }
    assert_eq!(read(root.path(), "fruit.txt"), FRUIT);
    assert_eq!(read(root.path(), "fruit.txt.unverified"), "first");
    assert_eq!(read(root.path(), "fruit.txt.unverified-2"), "second");
}

#[test]
fn a_damaged_file_at_hand_is_not_to_be_deleted() {
    let archive = Archive { name: "all.tar.gz".to_owned(), bytes_at_most: 100_000, sha256: None };
    let publication = Publication { archive: Some(archive), ..groceries() };
    let (from, root) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    fs::write(from.path().join("all.tar.gz"), "no archive").unwrap();
    let error = fetch_from_path(&publication, from.path(), root.path()).unwrap_err().to_string();
    assert!(error.contains("all.tar.gz: expected a gzipped tar archive"), "{error}");
    assert!(error.contains("another place with `--from`") && !error.contains("delete"), "{error}");
    assert_eq!(fs::read_to_string(from.path().join("all.tar.gz")).unwrap(), "no archive");
}

fn groceries_by_archive() -> Publication {
    let archive = Archive { name: "all.tar.gz".to_owned(), bytes_at_most: 100_000, sha256: None };
    Publication { archive: Some(archive), ..groceries() }
}

/// A gzipped tar archive of these files, all in one folder.
fn archive(files: &[(&str, &str)]) -> Vec<u8> {
    let encoder = GzEncoder::new(Vec::new(), Compression::default());
    let mut archive = tar::Builder::new(encoder);
    for (name, content) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        let path = format!("all-bin/{name}");
        archive.append_data(&mut header, path, content.as_bytes()).unwrap();
    }
    archive.into_inner().unwrap().finish().unwrap()
}

#[test]
fn only_the_published_files_are_taken_out_of_an_archive() {
    let files =
        [("readme.html", "hello"), ("nuts.txt", NUTS), ("pulse.txt", PULSE), ("fruit.txt", FRUIT)];
    let content = archive(&files);
    let served = content.clone();
    let server = Server::start(move |_, _| answer("200 OK", "", &served));
    let at_hand = tempfile::tempdir().unwrap();
    fs::write(at_hand.path().join("all.tar.gz"), content).unwrap();
    let file = at_hand.path().join("all.tar.gz");
    for from in [&server.address[..], at_hand.path().to_str().unwrap(), file.to_str().unwrap()] {
        let root = tempfile::tempdir().unwrap();
        let publication = groceries_by_archive();
        fetch_published(&publication, root.path(), Some(from), &mut |_| {}).unwrap();
        assert_eq!(names(&root.path().join("groceries")), ["fruit.txt", "nuts.txt", "pulse.txt"]);
        assert_eq!(read(root.path(), "fruit.txt"), FRUIT);
    }
    assert_eq!(server.requests(), [("/all.tar.gz".to_owned(), None)]);
}

#[test]
fn an_archive_that_is_damaged_or_of_other_files_leaves_nothing() {
    let whole = archive(&[("fruit.txt", FRUIT), ("pulse.txt", PULSE)]);
    for (content, complaint) in [
        (whole[..whole.len() / 2].to_vec(), "expected a gzipped tar archive"),
        (b"<html>moved</html>".to_vec(), "expected a gzipped tar archive"),
        (archive(&[("fruit.txt", "melons and limes")]), "expected the published file"),
        (archive(&[("fruit.txt", "figs")]), "found fruit.txt with 4 bytes"),
        (archive(&[("readme.html", "hello")]), "found no fruit.txt"),
    ] {
        let server = Server::start(move |_, _| answer("200 OK", "", &content));
        let root = tempfile::tempdir().unwrap();
        let publication = groceries_by_archive();
        let result = fetch_published(&publication, root.path(), Some(&server.address), &mut |_| {});
        let error = result.unwrap_err().to_string();
        assert!(error.contains(complaint), "{error}");
        assert_eq!(names(root.path()), [""; 0], "{complaint}");
    }
}

#[test]
fn what_a_bad_archive_did_deliver_is_kept_and_not_fetched_again() {
    let bad = archive(&[("fruit.txt", FRUIT), ("pulse.txt", "peas!")]);
    let good = archive(&[("fruit.txt", FRUIT), ("pulse.txt", PULSE)]);
    let servers = [bad, good]
        .map(|content| Server::start(move |_, _| answer("200 OK", "", &content)).address);
    let root = tempfile::tempdir().unwrap();
    let publication = Publication { mirrors: servers.to_vec(), ..groceries_by_archive() };
    for _ in 0..2 {
        fetch_published(&publication, root.path(), None, &mut |_| {}).unwrap();
        assert_eq!(names(&root.path().join("groceries")), ["fruit.txt", "pulse.txt"]);
        assert_eq!(read(root.path(), "pulse.txt"), PULSE);
    }
}

#[test]
fn a_built_in_set_has_nothing_to_fetch() {
    let entry = crate::entry("digits").unwrap();
    let root = tempfile::tempdir().unwrap();
    let error = fetch(entry, root.path(), None, &mut |_| {}).unwrap_err().to_string();
    assert!(error.contains("cargo xtask train digits"), "{error}");
}

/// A publication whose files have no checksum on record.
fn unrecorded(mut publication: Publication) -> Publication {
    for file in &mut publication.files {
        file.sha256 = None;
    }
    publication
}

#[test]
fn files_without_a_checksum_are_taken_for_format_and_size_with_a_note() {
    let server = Server::start(whole);
    let at_hand = tempfile::tempdir().unwrap();
    write_groceries(at_hand.path());
    for from in [&server.address[..], at_hand.path().to_str().unwrap()] {
        let root = tempfile::tempdir().unwrap();
        let publication = unrecorded(groceries());
        let fetched = fetch_published(&publication, root.path(), Some(from), &mut |_| {}).unwrap();
        assert_eq!(read(root.path(), "pulse.txt"), PULSE);
        let notes = fetched.notes.iter().filter(|note| note.contains("no checksum of it"));
        assert_eq!(notes.count(), fetched.files.len());
        // They are left alone from now on, as they are known to be no others.
        let again = fetch_published(&publication, root.path(), Some(from), &mut |_| {}).unwrap();
        assert_eq!(again.files, fetched.files);
        assert!(!again.notes.iter().any(|note| note.contains("no checksum of it")), "{again:?}");
    }
}

#[test]
fn a_file_that_can_be_done_without_is_brought_later_and_what_is_there_is_told() {
    let (from, root) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    write_groceries(from.path());
    let path = from.path().to_str().unwrap();
    let fetch = || fetch_published(&groceries(), root.path(), Some(path), &mut |_| {}).unwrap();
    assert_eq!(fetch().files.len(), 2);
    fs::write(from.path().join("nuts.txt"), NUTS).unwrap();
    let Fetched { files, notes } = fetch();
    assert_eq!((files.len(), notes.len()), (3, 0));
    assert_eq!(fetch().notes, [format!("all files are there already; {path} was not read")]);
}

#[test]
fn a_file_without_a_checksum_is_refused_if_its_size_is_another() {
    let (from, root) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    write_groceries(from.path());
    fs::write(from.path().join("pulse.txt"), "lentils").unwrap();
    let publication = unrecorded(groceries());
    let error = fetch_from_path(&publication, from.path(), root.path()).unwrap_err().to_string();
    assert!(error.contains("expected the published file with 5 bytes"), "{error}");
    assert_eq!(names(&root.path().join("groceries")), ["fruit.txt"]);
}

#[test]
fn the_checksum_of_an_archive_vouches_for_files_without_one() {
    let content = archive(&[("fruit.txt", FRUIT), ("pulse.txt", PULSE)]);
    let changed = archive(&[("fruit.txt", "melons and pears"), ("pulse.txt", PULSE)]);
    let sha256 = crate::checksum::sha256(&content);
    let archive = Archive { name: "all.tar.gz".into(), bytes_at_most: 1000, sha256: Some(sha256) };
    let publication = Publication { archive: Some(archive), ..unrecorded(groceries()) };
    for (content, is_right) in [(content, true), (changed, false)] {
        let served = content.clone();
        let server = Server::start(move |_, _| answer("200 OK", "", &served));
        let at_hand = tempfile::tempdir().unwrap();
        fs::write(at_hand.path().join("all.tar.gz"), content).unwrap();
        for from in [&server.address[..], at_hand.path().to_str().unwrap()] {
            let root = tempfile::tempdir().unwrap();
            let result = fetch_published(&publication, root.path(), Some(from), &mut |_| {});
            if is_right {
                assert_eq!(result.unwrap().notes, [""; 0]);
                assert_eq!(read(root.path(), "fruit.txt"), FRUIT);
            } else {
                let error = result.unwrap_err().to_string();
                assert!(error.contains("all.tar.gz: expected the published file"), "{error}");
                assert_eq!(names(root.path()), [""; 0]);
            }
        }
    }
}

#[test]
fn where_no_mirror_offers_single_files_the_error_says_what_to_unpack() {
    let root = tempfile::tempdir().unwrap();
    let by_hand = Some("https://example.org/gzip.zip".to_owned());
    let publication = Publication { by_hand, ..groceries() };
    let result = fetch_published(&publication, root.path(), None, &mut |_| {});
    let error = result.unwrap_err().to_string();
    assert!(error.contains("unpack https://example.org/gzip.zip, then run"), "{error}");
    assert!(error.contains("data fetch groceries --from DIR"), "{error}");
    assert_eq!(names(root.path()), [""; 0]);
}
