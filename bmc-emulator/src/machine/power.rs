//! The power state machine: a pure function of state, input and time. Nothing here waits; whoever calls
//! [`Power::due`] knows when the next timer input is needed, and a late call loses nothing because every
//! follow-up deadline counts from the previous deadline, not from the call.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::timing::Timing;

/// Redfish `ResetType` (Resource schema).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum ResetType {
    On,
    ForceOff,
    GracefulShutdown,
    GracefulRestart,
    ForceRestart,
    Nmi,
    ForceOn,
    PowerCycle,
}

impl ResetType {
    pub(crate) const ALL: [ResetType; 8] = [
        ResetType::On,
        ResetType::ForceOff,
        ResetType::GracefulShutdown,
        ResetType::GracefulRestart,
        ResetType::ForceRestart,
        ResetType::Nmi,
        ResetType::ForceOn,
        ResetType::PowerCycle,
    ];

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            ResetType::On => "On",
            ResetType::ForceOff => "ForceOff",
            ResetType::GracefulShutdown => "GracefulShutdown",
            ResetType::GracefulRestart => "GracefulRestart",
            ResetType::ForceRestart => "ForceRestart",
            ResetType::Nmi => "Nmi",
            ResetType::ForceOn => "ForceOn",
            ResetType::PowerCycle => "PowerCycle",
        }
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reset| reset.as_str() == text)
    }
}

/// Redfish `PowerState` (Resource schema).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum PowerState {
    On,
    Off,
    PoweringOn,
    PoweringOff,
}

impl PowerState {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            PowerState::On => "On",
            PowerState::Off => "Off",
            PowerState::PoweringOn => "PoweringOn",
            PowerState::PoweringOff => "PoweringOff",
        }
    }
}

/// Where a machine is between off and running.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Power {
    Off,
    PoweringOn {
        until: Instant,
    },
    /// Power is on, the firmware initialises the hardware.
    Post {
        until: Instant,
    },
    /// The firmware has been asked to boot; what executes is not the power supply's business.
    Up,
    /// The guest has seen the power button and is shutting down.
    ShuttingDown {
        until: Instant,
        restart: bool,
    },
    PoweringOff {
        until: Instant,
        restart: bool,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Input {
    Reset(ResetType),
    /// The deadline of [`Power::due`] has passed.
    Timer,
    GuestPoweredOff,
    GuestRebooted,
}

/// What the power state machine has to know of its surroundings.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Surroundings<'a> {
    pub timing: &'a Timing,
    pub button: PowerButton,
}

/// Who answers the power button, which is what a graceful reset presses (ACPI 6.5, §4.8.2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PowerButton {
    /// An operating system runs and shuts down.
    Guest,
    /// No operating system has taken ACPI over: the firmware obeys at once.
    Firmware,
    /// An operating system has taken ACPI over and listens no more, or the firmware hangs or does not obey.
    Nobody,
}

/// What has to happen because of a step, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    /// Whatever executes loses its machine.
    StopExecution,
    /// Settings that wait for a reboot take effect.
    EnterPost,
    /// POST is over: choose a boot device.
    Boot,
}

/// Why a command was not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// A power transition is under way.
    InTransition,
}

impl Power {
    /// When the next [`Input::Timer`] is due.
    pub(crate) fn due(self) -> Option<Instant> {
        match self {
            Power::Off | Power::Up => None,
            Power::PoweringOn { until }
            | Power::Post { until }
            | Power::ShuttingDown { until, .. }
            | Power::PoweringOff { until, .. } => Some(until),
        }
    }

    /// What a BMC shows; `shows_guest_shutdown` as in the personality.
    pub(crate) fn state(self, shows_guest_shutdown: bool) -> PowerState {
        match self {
            Power::Off => PowerState::Off,
            Power::PoweringOn { .. } => PowerState::PoweringOn,
            Power::Post { .. } | Power::Up => PowerState::On,
            Power::ShuttingDown { .. } if shows_guest_shutdown => PowerState::PoweringOff,
            Power::ShuttingDown { .. } => PowerState::On,
            Power::PoweringOff { .. } => PowerState::PoweringOff,
        }
    }

    /// The next state and what follows from it. `now` is the deadline itself for [`Input::Timer`].
    pub(crate) fn step(
        self,
        input: Input,
        now: Instant,
        around: Surroundings<'_>,
    ) -> Result<(Power, &'static [Effect]), Refusal> {
        use Effect::{Boot, EnterPost, StopExecution};
        use ResetType as R;

        let timing = around.timing;
        let powering_on = Power::PoweringOn {
            until: now + timing.power_on,
        };
        let post = Power::Post {
            until: now + timing.post,
        };
        let powering_off = |restart| Power::PoweringOff {
            until: now + timing.power_off,
            restart,
        };

        let next: (Power, &'static [Effect]) = match (self, input) {
            (Power::PoweringOn { .. }, Input::Timer) => (post, &[EnterPost]),
            (Power::Post { .. }, Input::Timer) => (Power::Up, &[Boot]),
            (Power::ShuttingDown { restart: true, .. }, Input::Timer) => (post, &[StopExecution, EnterPost]),
            (Power::ShuttingDown { restart: false, .. }, Input::Timer) => (Power::Off, &[StopExecution]),
            (Power::PoweringOff { restart: true, .. }, Input::Timer) => (powering_on, &[]),
            (Power::PoweringOff { restart: false, .. }, Input::Timer) => (Power::Off, &[]),
            (Power::Off | Power::Up, Input::Timer) => (self, &[]),

            (Power::ShuttingDown { restart: true, .. }, Input::GuestPoweredOff) => (post, &[StopExecution, EnterPost]),
            (Power::Up | Power::ShuttingDown { .. }, Input::GuestPoweredOff) => (Power::Off, &[StopExecution]),
            (Power::Up | Power::ShuttingDown { .. }, Input::GuestRebooted) => (post, &[StopExecution, EnterPost]),
            // A guest that was cut off a moment ago has no say any more.
            (_, Input::GuestPoweredOff | Input::GuestRebooted) => (self, &[]),

            (Power::Off, Input::Reset(R::On | R::ForceOn | R::PowerCycle | R::ForceRestart)) => (powering_on, &[]),
            (Power::Off, Input::Reset(_)) => (self, &[]),

            (Power::PoweringOn { .. }, Input::Reset(R::On | R::ForceOn)) => (self, &[]),
            (Power::PoweringOn { .. }, Input::Reset(R::ForceOff)) => (powering_off(false), &[]),
            (Power::PoweringOn { .. }, Input::Reset(_)) => return Err(Refusal::InTransition),

            (Power::PoweringOff { restart: false, .. }, Input::Reset(R::ForceOff | R::GracefulShutdown)) => (self, &[]),
            (Power::PoweringOff { until, restart: true }, Input::Reset(R::ForceOff)) => {
                (Power::PoweringOff { until, restart: false }, &[])
            }
            (Power::PoweringOff { .. }, Input::Reset(_)) => return Err(Refusal::InTransition),

            (_, Input::Reset(R::Nmi)) => (self, &[]),
            (_, Input::Reset(R::ForceOff)) => (powering_off(false), &[StopExecution]),
            (_, Input::Reset(R::PowerCycle)) => (powering_off(true), &[StopExecution]),
            (_, Input::Reset(R::ForceRestart)) => (post, &[StopExecution, EnterPost]),

            (Power::ShuttingDown { until, .. }, Input::Reset(R::GracefulShutdown)) => {
                (Power::ShuttingDown { until, restart: false }, &[])
            }
            (Power::ShuttingDown { restart: true, .. }, Input::Reset(R::GracefulRestart)) => (self, &[]),
            (Power::ShuttingDown { .. }, Input::Reset(R::On | R::ForceOn | R::GracefulRestart)) => {
                return Err(Refusal::InTransition);
            }

            (Power::Post { .. } | Power::Up, Input::Reset(R::On | R::ForceOn)) => (self, &[]),
            (Power::Up, Input::Reset(graceful @ (R::GracefulShutdown | R::GracefulRestart)))
                if around.button == PowerButton::Guest =>
            {
                let until = now + timing.graceful_shutdown;
                (
                    Power::ShuttingDown {
                        until,
                        restart: graceful == R::GracefulRestart,
                    },
                    &[],
                )
            }
            (Power::Post { .. } | Power::Up, Input::Reset(R::GracefulShutdown | R::GracefulRestart))
                if around.button == PowerButton::Nobody =>
            {
                (self, &[])
            }
            (Power::Post { .. } | Power::Up, Input::Reset(R::GracefulShutdown)) => {
                (powering_off(false), &[StopExecution])
            }
            (Power::Post { .. } | Power::Up, Input::Reset(R::GracefulRestart)) => (post, &[StopExecution, EnterPost]),
        };
        Ok(next)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn timing() -> Timing {
        let seconds = Duration::from_secs;
        Timing {
            power_on: seconds(3),
            power_off: seconds(2),
            post: seconds(60),
            graceful_shutdown: seconds(20),
            secure_erase: seconds(90),
            bmc_reset: seconds(90),
            boot_retry: seconds(5),
            os_boot: seconds(10),
            firmware_update: seconds(120),
        }
    }

    /// A state without its deadline, for a readable table.
    fn brief(power: Power, start: Instant) -> String {
        let at = |until: Instant| until.duration_since(start).as_secs();
        match power {
            Power::Off => "Off".to_owned(),
            Power::PoweringOn { until } => format!("PoweringOn until {}s", at(until)),
            Power::Post { until } => format!("Post until {}s", at(until)),
            Power::Up => "Up".to_owned(),
            Power::ShuttingDown { until, restart } => format!("ShuttingDown until {}s, restart {restart}", at(until)),
            Power::PoweringOff { until, restart } => format!("PoweringOff until {}s, restart {restart}", at(until)),
        }
    }

    #[test]
    fn the_whole_table() {
        let start = Instant::now();
        let until = start + Duration::from_secs(1);
        let states = [
            Power::Off,
            Power::PoweringOn { until },
            Power::Post { until },
            Power::Up,
            Power::ShuttingDown { until, restart: false },
            Power::ShuttingDown { until, restart: true },
            Power::PoweringOff { until, restart: false },
            Power::PoweringOff { until, restart: true },
        ];
        let mut inputs: Vec<Input> = ResetType::ALL.into_iter().map(Input::Reset).collect();
        inputs.extend([Input::Timer, Input::GuestPoweredOff, Input::GuestRebooted]);
        let timing = timing();
        let mut table = String::new();
        for state in states {
            table += &format!("{}\n", brief(state, start));
            for input in &inputs {
                let now = if *input == Input::Timer { until } else { start };
                let mut outcomes: Vec<(PowerButton, String)> = Vec::new();
                for button in [PowerButton::Guest, PowerButton::Firmware, PowerButton::Nobody] {
                    let around = Surroundings {
                        timing: &timing,
                        button,
                    };
                    let text = match state.step(*input, now, around) {
                        Ok((next, effects)) if next == state && effects.is_empty() => "-".to_owned(),
                        Ok((next, effects)) => format!("{} {effects:?}", brief(next, start)),
                        Err(refusal) => format!("refused: {refusal:?}"),
                    };
                    outcomes.push((button, text));
                }
                if outcomes.iter().all(|(_, text)| *text == outcomes[0].1) {
                    table += &format!("    {input:?} => {}\n", outcomes[0].1);
                } else {
                    for (button, text) in outcomes {
                        table += &format!("    {input:?}, answered by {button:?} => {text}\n");
                    }
                }
            }
        }
        insta::assert_snapshot!(table);
    }

    #[test]
    fn late_timers_lose_nothing() {
        let start = Instant::now();
        let timing = timing();
        let around = Surroundings {
            timing: &timing,
            button: PowerButton::Firmware,
        };
        let (mut power, _) = Power::Off
            .step(Input::Reset(ResetType::On), start, around)
            .expect("accepted");
        let mut effects = Vec::new();
        while let Some(due) = power.due() {
            let (next, more) = power.step(Input::Timer, due, around).expect("timers are never refused");
            power = next;
            effects.extend_from_slice(more);
        }
        assert_eq!((power, effects), (Power::Up, vec![Effect::EnterPost, Effect::Boot]));
    }
}
