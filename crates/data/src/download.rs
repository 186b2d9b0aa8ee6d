//! One HTTP download into a file, resumed where it broke off, never longer than it should be.

use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom, Write},
    time::Duration,
};

use ureq::{Agent, http::HeaderMap};

use crate::fetch_progress::FetchProgress;

/// What to download.
pub(crate) struct Transfer<'a> {
    /// Name of the file.
    pub(crate) file: &'a str,
    /// Full addresses, best first.
    pub(crate) addresses: Vec<String>,
    /// Size in bytes above which the download is broken off.
    pub(crate) bytes_at_most: u64,
}

/// Why a download failed.
pub(crate) enum Failure {
    /// The mirror or the network is to blame; another mirror may do better.
    Mirror(String),
    /// The file cannot be written.
    Disk(io::Error),
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Failure::Disk(error)
    }
}

/// Appends to `file` what it lacks of the content at `address`.
///
/// What was received stays in the file when the connection breaks; if the content turns out too
/// long, the file is emptied.
#[expect(clippy::indexing_slicing, reason = "what is read is at most the buffer")]
pub(crate) fn receive(
    address: &str,
    transfer: &Transfer<'_>,
    mut file: &File,
    progress: &mut dyn FnMut(FetchProgress<'_>),
) -> Result<(), Failure> {
    let mut done = file.metadata()?.len();
    if done > transfer.bytes_at_most {
        file.set_len(0)?;
        done = 0;
    }
    // A compressed transfer of a compressed file helps nobody, and a range must count file bytes.
    let mut request = agent(address).get(address).header("Accept-Encoding", "identity");
    if done > 0 {
        request = request.header("Range", format!("bytes={done}-"));
    }
    let mut response = request.call().map_err(|error| Failure::Mirror(error.to_string()))?;
    match response.status().as_u16() {
        206 if range_start(response.headers()) == Some(done) => {}
        206 => {
            file.set_len(0)?;
            return Err(Failure::Mirror("sent another part than was asked for".to_owned()));
        }
        200 => {
            file.set_len(0)?;
            done = 0;
        }
        // Nothing comes after what is here: all is here, or it is something else altogether.
        416 if done > 0 => return Ok(()),
        status => return Err(Failure::Mirror(format!("HTTP status {status}"))),
    }
    file.seek(SeekFrom::Start(done))?;

    let too_long = || -> Result<(), Failure> {
        file.set_len(0)?;
        let most = transfer.bytes_at_most;
        Err(Failure::Mirror(format!("offers more than the {most} bytes there should be")))
    };
    let total = response.body().content_length().map(|length| done.saturating_add(length));
    if total.is_some_and(|total| total > transfer.bytes_at_most) {
        return too_long();
    }
    let mut body = response.body_mut().as_reader();
    let mut buffer = vec![0; 1 << 16];
    loop {
        progress(FetchProgress { file: transfer.file, origin: address, done, total });
        let read = match body.read(&mut buffer) {
            Ok(0) => break,
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => {
                return Err(Failure::Mirror(format!("broke off after {done} bytes ({error})")));
            }
        };
        done += read as u64;
        if done > transfer.bytes_at_most {
            return too_long();
        }
        file.write_all(&buffer[..read])?;
    }
    match total {
        Some(total) if done < total => {
            Err(Failure::Mirror(format!("broke off after {done} of {total} bytes")))
        }
        _ => Ok(()),
    }
}

/// The first byte that a 206 response carries: `Content-Range: bytes 200-1000/67589`.
fn range_start(headers: &HeaderMap) -> Option<u64> {
    let range = headers.get("content-range")?.to_str().ok()?;
    range.trim().strip_prefix("bytes ")?.split('-').next()?.trim().parse().ok()
}

fn agent(address: &str) -> Agent {
    let config = Agent::config_builder()
        .http_status_as_error(false)
        .timeout_connect(Some(Duration::from_secs(20)))
        .timeout_recv_response(Some(Duration::from_secs(60)))
        .timeout_per_read(Some(Duration::from_secs(60)));
    match address.starts_with("http://127.0.0.1:") {
        // A mirror on this machine is out of a proxy's reach.
        true => config.proxy(None),
        false => config,
    }
    .build()
    .new_agent()
}
