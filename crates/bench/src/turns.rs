//! Networks that are measured in turns: ours with all threads, ours with one, PyTorch's. While one
//! computes, the others wait at a pipe and use no core.

use backburn_training::failure::Failure;
use backburn_training::speed::training;

use super::case::Case;
use super::figure::Figure;
use super::plan::Plan;
use super::process::Process;
use super::protocol::{Greeting, Request};
use super::pytorch::MemoryFormat;
use super::record::{
    ComparisonRecord, FormatRecord, NetworkRecord, OneThreadRecord, PyTorchRecord,
};

/// Processes of each player, for the time until the first step.
const STARTS: usize = 3;

/// Whose turn it may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Player {
    Ours,
    OursWithOneThread,
    PyTorch(MemoryFormat),
}

/// A player's process, and what it has done so far.
struct Seat {
    player: Player,
    process: Process,
    /// Seconds until the first step, of every process that was started for the player.
    first_step_seconds: Vec<f64>,
    /// Images a second in training, turn by turn.
    training: Vec<f64>,
    /// Images a second in evaluation, turn by turn.
    evaluation: Vec<f64>,
    peak_memory_bytes: Option<u64>,
}

/// Whether the network is also trained with one thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scaling {
    Measure,
    LeaveOut,
}

/// Measures a network.
///
/// # Errors
///
/// If a process fails or Ctrl-C was pressed.
pub(crate) fn measure(
    plan: &Plan,
    case: &Case,
    scaling: Scaling,
) -> Result<NetworkRecord, Failure> {
    let mut seats = sit_down(plan, case, scaling)?;
    let train = |seconds| Request::Training { seconds };
    take_turns(&mut seats, plan, train, |seat| &mut seat.training)?;
    for seat in &mut seats {
        seat.peak_memory_bytes = seat.process.peak_memory()?;
    }
    // One thread is measured in training only.
    let one_thread = seats.iter().position(|seat| seat.player == Player::OursWithOneThread);
    let one_thread = one_thread.map(|place| seats.remove(place));
    let evaluate = |seconds| Request::Evaluation { seconds };
    take_turns(&mut seats, plan, evaluate, |seat| &mut seat.evaluation)?;
    Ok(record(case, &seats, one_thread.as_ref()))
}

/// Starts the processes one after the other, several times, because a process has but one first step.
/// The last of each stays.
fn sit_down(plan: &Plan, case: &Case, scaling: Scaling) -> Result<Vec<Seat>, Failure> {
    let mut players = vec![Player::Ours];
    if plan.pytorch.is_some() {
        players.extend(MemoryFormat::of(&case.model).iter().copied().map(Player::PyTorch));
    }
    let mut first_steps = vec![Vec::new(); players.len()];
    for _ in 1..STARTS {
        for (player, seconds) in players.iter().zip(&mut first_steps) {
            let (_, greeting) = start(plan, case, *player)?;
            seconds.extend(greeting.first_step_seconds);
        }
    }
    if scaling == Scaling::Measure {
        players.push(Player::OursWithOneThread);
        first_steps.push(Vec::new());
    }
    let seat = |(player, mut first_step_seconds): (Player, Vec<f64>)| {
        let (process, greeting) = start(plan, case, player)?;
        // A process that does not tell, such as a script of another version, is found out here.
        let seconds = greeting.first_step_seconds.ok_or_else(|| {
            Failure::Error(format!(
                "{}: {} did not time its first step",
                case.name(),
                greeting.name
            ))
        })?;
        first_step_seconds.push(seconds);
        Ok(Seat {
            player,
            process,
            first_step_seconds,
            training: Vec::new(),
            evaluation: Vec::new(),
            peak_memory_bytes: None,
        })
    };
    players.into_iter().zip(first_steps).map(seat).collect()
}

fn start(plan: &Plan, case: &Case, player: Player) -> Result<(Process, Greeting), Failure> {
    match (player, &plan.pytorch) {
        (Player::PyTorch(format), Some(pytorch)) => {
            pytorch.start(case, format, plan.threads, &plan.stop)
        }
        (Player::OursWithOneThread, _) => plan.start(Some(case), 1),
        _ => plan.start(Some(case), plan.threads),
    }
}

/// Each warms up, and then they do a repetition in turn, in an order that is turned round from one
/// to the next: a machine that becomes slower and slower favours nobody.
fn take_turns(
    seats: &mut [Seat],
    plan: &Plan,
    request: impl Fn(f64) -> Request,
    rates: impl Fn(&mut Seat) -> &mut Vec<f64>,
) -> Result<(), Failure> {
    for seat in seats.iter_mut() {
        seat.process.work(&request(plan.seconds / 2.0))?;
    }
    for _ in 0..plan.repetitions {
        for seat in seats.iter_mut() {
            let work = seat.process.work(&request(plan.seconds))?;
            rates(seat).push(work.rate());
        }
        seats.reverse();
    }
    Ok(())
}

fn record(case: &Case, seats: &[Seat], one_thread: Option<&Seat>) -> NetworkRecord {
    let ours = seats.iter().find(|seat| seat.player == Player::Ours).expect("ours always plays");
    NetworkRecord {
        model: case.model.clone(),
        image: training::image(&case.model),
        batch_size: case.batch_size,
        training_images_per_second: Figure::of(&ours.training),
        evaluation_images_per_second: Figure::of(&ours.evaluation),
        first_step_seconds: Figure::of(&ours.first_step_seconds),
        peak_memory_bytes: ours.peak_memory_bytes,
        one_thread: one_thread.map(|one| OneThreadRecord {
            training_images_per_second: Figure::of(&one.training),
            gain: Figure::of_ratios(&ours.training, &one.training),
        }),
        pytorch: against_pytorch(ours, seats),
    }
}

/// `None` if PyTorch did not play.
fn against_pytorch(ours: &Seat, seats: &[Seat]) -> Option<PyTorchRecord> {
    let mut theirs: Vec<(MemoryFormat, &Seat)> = seats
        .iter()
        .filter_map(|seat| match seat.player {
            Player::PyTorch(format) => Some((format, seat)),
            _ => None,
        })
        .collect();
    theirs.sort_by_key(|(format, _)| format.name());
    let faster = |rates: fn(&Seat) -> &Vec<f64>| {
        let median = |seat: &Seat| Figure::of(rates(seat)).median;
        theirs.iter().copied().max_by(|(_, a), (_, b)| median(a).total_cmp(&median(b)))
    };
    let compare = |rates: fn(&Seat) -> &Vec<f64>| {
        faster(rates).map(|(format, seat)| ComparisonRecord {
            faster_memory_format: format.name(),
            images_per_second: Figure::of(rates(seat)),
            ratio: Figure::of_ratios(rates(ours), rates(seat)),
        })
    };
    let (_, trainer) = faster(|seat| &seat.training)?;
    let record = |(format, seat): &(MemoryFormat, &Seat)| FormatRecord {
        memory_format: format.name(),
        training_images_per_second: Figure::of(&seat.training),
        evaluation_images_per_second: Figure::of(&seat.evaluation),
        first_step_seconds: Figure::of(&seat.first_step_seconds),
        peak_memory_bytes: seat.peak_memory_bytes,
    };
    let memory = ours.peak_memory_bytes.zip(trainer.peak_memory_bytes);
    Some(PyTorchRecord {
        training: compare(|seat| &seat.training)?,
        evaluation: compare(|seat| &seat.evaluation)?,
        first_step_ratio: Figure::of_ratios(&ours.first_step_seconds, &trainer.first_step_seconds),
        peak_memory_ratio: memory.map(|(ours, theirs)| ours as f64 / theirs as f64),
        formats: theirs.iter().map(record).collect(),
    })
}
