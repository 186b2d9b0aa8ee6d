//! A process that measures: says that it is ready, then answers until nobody asks any more.

use std::io::{self, BufRead, Write};

use backburn_models::architecture;
use backburn_training::backend::{Backend, OpenDevice};
use backburn_training::failure::{Failure, usage};
use backburn_training::speed::training::{Training, image};
use serde::Serialize;
use serde_json::Value;

use super::case::Case;
use super::protocol::{Card, Greeting, PeakMemory, Request};
use super::{loader, matrix_product, memory};

/// What the answers are measured with.
struct Bench {
    open: OpenDevice,
    threads: usize,
    training: Option<Training>,
}

/// Answers requests on stdin, of a network or, without `case`, of everything else, until the other end
/// of stdin is closed.
///
/// # Errors
///
/// If the backend cannot be used, or a request is none.
pub fn serve(backend: Backend, threads: usize, case: Option<&Case>) -> Result<(), Failure> {
    let open = backend.open().map_err(|error| Failure::Error(error.to_string()))?;
    let mut bench = Bench { open, threads, training: None };
    let mut first_step_seconds = None;
    if let Some(Case { model, batch_size }) = case {
        let model = (architecture(model).map_err(usage)?.config)();
        let started = Training::start(&model, image(model.name()), *batch_size, &bench.open.device);
        let (training, seconds) = started.map_err(usage)?;
        bench.training = Some(training);
        first_step_seconds = Some(seconds);
    }
    say(&Greeting { name: bench.open.name.clone(), first_step_seconds })?;
    for line in io::stdin().lock().lines() {
        let line = line.map_err(|error| Failure::Error(format!("cannot read stdin: {error}")))?;
        let answer = serde_json::from_str(&line).map_err(|error| error.to_string());
        let answer = answer.and_then(|request| bench.answer(request));
        say(&answer.map_err(|reason| Failure::Error(format!("request `{line}`: {reason}")))?)?;
    }
    Ok(())
}

impl Bench {
    fn answer(&mut self, request: Request) -> Result<Value, String> {
        let device = &self.open.device;
        let training = self.training.as_mut().ok_or("no `--model` was named");
        let work = match request {
            Request::Training { seconds } => training?.train(seconds),
            Request::Evaluation { seconds } => training?.evaluate(seconds),
            Request::MatrixProduct { seconds } => matrix_product::multiply(seconds, device),
            Request::Forward { layer, seconds } => layer.forward(seconds, device),
            Request::Backward { layer, seconds } => layer.backward(seconds, device),
            Request::Loader { augment, seconds } => loader::load(&augment, seconds, self.threads)?,
            Request::PeakMemory => {
                return Ok(as_json(&PeakMemory { peak_memory_bytes: memory::peak() }));
            }
            Request::Card => {
                let training = training?;
                let launches_of_a_step = training.launches_of_a_step();
                let reserved_bytes = training.reserved_bytes();
                return Ok(as_json(&Card { launches_of_a_step, reserved_bytes }));
            }
        };
        Ok(as_json(&work))
    }
}

fn as_json(answer: &impl Serialize) -> Value {
    serde_json::to_value(answer).expect("an answer is plain values")
}

/// A line on stdout, at once.
fn say(answer: &impl Serialize) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    let written = writeln!(stdout, "{}", as_json(answer)).and_then(|()| stdout.flush());
    written.map_err(|error| Failure::Error(format!("cannot write to stdout: {error}")))
}
