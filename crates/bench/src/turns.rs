//! Networks that are measured in turns: ours with all threads, ours with one, PyTorch's. While one
//! computes, the others wait at a pipe and use no core.

use std::path::Path;

use backburn_training::failure::Failure;
use backburn_training::speed::training;

use super::case::Case;
use super::figure::Figure;
use super::plan::Plan;
use super::process::Process;
use super::protocol::{Card, Greeting, Request};
use super::record::{
    CardRecord, ComparisonRecord, NetworkRecord, OneThreadRecord, PyTorchRecord, WayRecord,
};
use super::way::Way;
use super::{busy, cores};

/// Processes of each player, for the time until the first step.
const STARTS: usize = 3;

/// Those of PyTorch on a graphics card, where there are many ways and a process takes seconds to begin, and of what it
/// compiles.
const STARTS_OF_A_WAY: usize = 1;

/// Least seconds of training for which a card is watched: its driver tells ten times a second.
const WATCHED_SECONDS: f64 = 3.0;

/// Whose turn it may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Player {
    Ours,
    OursWithOneThread,
    PyTorch(Way),
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
    /// On a graphics card.
    card: Option<(Card, Option<f64>)>,
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
    // What a first start has to find out, later ones find there.
    let kernels = tempfile::tempdir().map_err(|error| {
        Failure::Error(format!("cannot make a temporary folder: {error}; see to TMPDIR"))
    })?;
    let mut seats = sit_down(plan, case, scaling, kernels.path())?;
    let train = |seconds| Request::Training { seconds };
    let mut gains = take_turns(&mut seats, plan, train, |seat| &mut seat.training)?;
    for seat in &mut seats {
        seat.peak_memory_bytes = seat.process.peak_memory()?;
    }
    if !plan.backend.computes_on_the_host() {
        for seat in &mut seats {
            let seconds = plan.seconds.max(WATCHED_SECONDS);
            let busy = busy::share(|| seat.process.work(&train(seconds)).map(|_| ()))?;
            seat.card = Some((seat.process.card()?, busy));
        }
    }
    // One thread is measured in training only.
    let one_thread = seats.iter().position(|seat| seat.player == Player::OursWithOneThread);
    let one_thread = one_thread.map(|place| seats.remove(place));
    let evaluate = |seconds| Request::Evaluation { seconds };
    gains.extend(take_turns(&mut seats, plan, evaluate, |seat| &mut seat.evaluation)?);
    Ok(record(case, &seats, one_thread.as_ref(), &gains))
}

/// Starts the processes one after the other, several times, because a process has but one first step.
/// The last of each stays.
fn sit_down(
    plan: &Plan,
    case: &Case,
    scaling: Scaling,
    kernels: &Path,
) -> Result<Vec<Seat>, Failure> {
    let mut players = vec![Player::Ours];
    if let Some(pytorch) = &plan.pytorch {
        players.extend(pytorch.ways(&case.model).into_iter().map(Player::PyTorch));
    }
    let mut first_steps = vec![Vec::new(); players.len()];
    for number in 1..STARTS {
        for (player, seconds) in players.iter().zip(&mut first_steps) {
            if number < starts(plan, *player) {
                let (_, greeting) = start(plan, case, *player, kernels)?;
                seconds.extend(greeting.first_step_seconds);
            }
        }
    }
    if scaling == Scaling::Measure {
        players.push(Player::OursWithOneThread);
        first_steps.push(Vec::new());
    }
    let seat = |(player, mut first_step_seconds): (Player, Vec<f64>)| {
        let (process, greeting) = start(plan, case, player, kernels)?;
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
            card: None,
        })
    };
    players.into_iter().zip(first_steps).map(seat).collect()
}

fn starts(plan: &Plan, player: Player) -> usize {
    match player {
        Player::PyTorch(Way::Compiled) => STARTS_OF_A_WAY,
        Player::PyTorch(_) if !plan.backend.computes_on_the_host() => STARTS_OF_A_WAY,
        _ => STARTS,
    }
}

fn start(
    plan: &Plan,
    case: &Case,
    player: Player,
    kernels: &Path,
) -> Result<(Process, Greeting), Failure> {
    match (player, &plan.pytorch) {
        (Player::PyTorch(way), Some(pytorch)) => pytorch.start(case, way, plan.threads, &plan.stop),
        (Player::OursWithOneThread, _) => plan.start(Some(case), 1, Some(kernels)),
        _ => plan.start(Some(case), plan.threads, Some(kernels)),
    }
}

/// Each warms up, and then they do a repetition in turn, in an order that is turned round from one
/// to the next: a machine that becomes slower and slower favours nobody. Before each repetition it is looked how much
/// the machine gives all threads, if it is the processor that computes.
fn take_turns(
    seats: &mut [Seat],
    plan: &Plan,
    request: impl Fn(f64) -> Request,
    rates: impl Fn(&mut Seat) -> &mut Vec<f64>,
) -> Result<Vec<f64>, Failure> {
    let looks = plan.threads > 1 && plan.backend.computes_on_the_host();
    let mut gains = Vec::new();
    for seat in seats.iter_mut() {
        seat.process.work(&request(plan.seconds / 2.0))?;
    }
    for _ in 0..plan.repetitions {
        gains.extend(looks.then(|| cores::gain(plan.threads)));
        for seat in seats.iter_mut() {
            let work = seat.process.work(&request(plan.seconds))?;
            rates(seat).push(work.rate());
        }
        seats.reverse();
    }
    Ok(gains)
}

fn record(case: &Case, seats: &[Seat], one_thread: Option<&Seat>, gains: &[f64]) -> NetworkRecord {
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
        threads_over_one: (!gains.is_empty()).then(|| Figure::of(gains)),
        card: card(ours),
        pytorch: against_pytorch(ours, seats),
    }
}

/// `None` of a player that computes on the host.
fn card(seat: &Seat) -> Option<CardRecord> {
    let (Card { launches_of_a_step, reserved_bytes }, busy_share) = seat.card?;
    let (first, later) = seat.first_step_seconds.split_first()?;
    Some(CardRecord {
        first_start_seconds: *first,
        later_start_seconds: (!later.is_empty()).then(|| Figure::of(later)),
        launches_of_a_step,
        reserved_bytes,
        busy_share,
    })
}

/// `None` if PyTorch did not play.
fn against_pytorch(ours: &Seat, seats: &[Seat]) -> Option<PyTorchRecord> {
    let mut theirs: Vec<(Way, &Seat)> = seats
        .iter()
        .filter_map(|seat| match seat.player {
            Player::PyTorch(way) => Some((way, seat)),
            _ => None,
        })
        .collect();
    theirs.sort_by_key(|(way, _)| *way);
    let faster = |rates: fn(&Seat) -> &Vec<f64>| {
        let median = |seat: &Seat| Figure::of(rates(seat)).median;
        let alike = theirs.iter().copied().filter(|(way, _)| way.is_eager_and_exact());
        alike.max_by(|(_, a), (_, b)| median(a).total_cmp(&median(b)))
    };
    let compare = |rates: fn(&Seat) -> &Vec<f64>| {
        faster(rates).map(|(way, seat)| ComparisonRecord {
            faster_memory_format: way.name(),
            images_per_second: Figure::of(rates(seat)),
            ratio: Figure::of_ratios(rates(ours), rates(seat)),
        })
    };
    let (_, trainer) = faster(|seat| &seat.training)?;
    let record = |(way, seat): &(Way, &Seat)| WayRecord {
        way: way.name(),
        training_images_per_second: Figure::of(&seat.training),
        training_ratio: Figure::of_ratios(&ours.training, &seat.training),
        evaluation_images_per_second: Figure::of(&seat.evaluation),
        evaluation_ratio: Figure::of_ratios(&ours.evaluation, &seat.evaluation),
        first_step_seconds: Figure::of(&seat.first_step_seconds),
        peak_memory_bytes: seat.peak_memory_bytes,
        card: card(seat),
    };
    let memory = ours.peak_memory_bytes.zip(trainer.peak_memory_bytes);
    Some(PyTorchRecord {
        training: compare(|seat| &seat.training)?,
        evaluation: compare(|seat| &seat.evaluation)?,
        first_step_ratio: Figure::of_ratios(&ours.first_step_seconds, &trainer.first_step_seconds),
        peak_memory_ratio: memory.map(|(ours, theirs)| ours as f64 / theirs as f64),
        ways: theirs.iter().map(record).collect(),
    })
}
