//! One machine in time. All faces (Redfish, admin API, guest) read and change this one model.
//!
//! The model never waits. [`Machine::settle`] brings it up to date with the clock, and [`Machine::next_due`] says when
//! something will happen by itself; between the two nothing runs, however many machines there are.

pub(crate) mod bios;
pub(crate) mod boot;
mod clock;
pub(crate) mod drive;
mod erasure;
pub(crate) mod event_log;
pub(crate) mod guest;
pub(crate) mod hardware;
mod hiccups;
pub(crate) mod installed_firmware;
pub(crate) mod media;
pub(crate) mod nic;
pub(crate) mod position;
pub(crate) mod power;
mod power_history;
pub(crate) mod raid;
pub(crate) mod secure_boot;
pub(crate) mod sensors;
pub(crate) mod timing;
pub(crate) mod tpm;
pub(crate) mod truth;
pub(crate) mod volume;

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use self::bios::Bios;
use self::boot::{Boot, BootDevice, BootPlan, BootTarget, OverrideEnabled};
use self::drive::Drive;
use self::event_log::EventLog;
use self::guest::GuestIdentity;
use self::hardware::Hardware;
use self::hiccups::Hiccups;
use self::installed_firmware::{Component, InstalledFirmware};
use self::media::MediaSlot;
use self::position::Position;
use self::power::{Effect, Input, Power, PowerButton, PowerState, Refusal, ResetType, Surroundings};
use self::power_history::PowerHistory;
use self::raid::VolumeJob;
use self::secure_boot::SecureBoot;
use self::sensors::Warmth;
use self::timing::Timing;
use self::tpm::{Measured, Tpm};
use self::truth::{Counters, Execution};
use self::volume::Volume;
use crate::certificate::Https;
use crate::event::MachineEventKind;
use crate::fault::{FaultId, Faults};
use crate::firmware::BootJob;
use crate::fleet::spec::MachineSpec;
use crate::mockup::Replay;
use crate::personality::Personality;
use crate::quirk::{self, Quirk};
use crate::redfish::delivery::Delivery;
use crate::redfish::state::RedfishState;
use crate::update::UpdateJob;

/// One point in time on both clocks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment {
    pub now: Instant,
    pub wall: Timestamp,
}

impl Moment {
    /// The wall clock's reading at `instant`, which is not after this moment.
    pub(crate) fn wall_at(self, instant: Instant) -> Timestamp {
        let ago = self.now.saturating_duration_since(instant);
        SignedDuration::try_from(ago)
            .ok()
            .and_then(|ago| self.wall.checked_sub(ago).ok())
            .unwrap_or(self.wall)
    }
}

/// What a machine wants done once its lock is released.
#[derive(Debug)]
pub(crate) enum Out {
    Event(Timestamp, MachineEventKind),
    Boot(BootJob),
    Stop(CancellationToken),
    Deliver(Delivery),
    Update(UpdateJob),
}

/// The BMC restarts: connections are refused, then answered with 503, then it is back.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Absence {
    pub answers_from: Instant,
    pub ready_at: Instant,
}

/// [`Quirk::DeafAfterUpdate`].
const DEAF_AFTER_UPDATE: Duration = Duration::from_secs(300);

#[derive(Debug)]
pub(crate) struct Machine {
    pub hardware: Hardware,
    pub personality: &'static Personality,
    pub position: Position,
    pub quirks: BTreeSet<Quirk>,
    pub timing: Timing,
    pub power: Power,
    pub execution: Execution,
    /// What the last guest said it was.
    pub guest: Option<GuestIdentity>,
    /// Counts what has been started; a guest of an older generation has no machine any more.
    pub generation: u64,
    /// Whether an operating system has taken the machine over since the last POST, alive or not.
    pub kernel_loaded: bool,
    pub boot: Boot,
    pub bios: Bios,
    pub drives: Vec<Drive>,
    pub volumes: Vec<Volume>,
    /// What is going to be done to them.
    pub volume_jobs: Vec<VolumeJob>,
    /// Counts them, for their ids.
    volumes_created: u32,
    pub secure_boot: SecureBoot,
    pub tpm: Option<Tpm>,
    pub https: Https,
    pub media: Vec<MediaSlot>,
    pub firmware: InstalledFirmware,
    pub log: EventLog,
    pub indicator_lit: bool,
    pub asset_tag: String,
    pub redfish: RedfishState,
    /// The recording it is one of, if any.
    pub replay: Option<Replay>,
    pub faults: Faults,
    pub hiccups: Hiccups,
    pub absence: Option<Absence>,
    pub counters: Counters,
    pub time_scale: f64,
    /// What derived identities follow from.
    seed: u64,
    warmth: Warmth,
    /// When the BMC was last restarted.
    pub bmc_started: Timestamp,
    /// By how much its clock is ahead since somebody has set it.
    pub clock_offset: SignedDuration,
    fault_expiries: Vec<(Instant, FaultId)>,
    shown: PowerHistory,
    alarm: Option<Instant>,
    stop: CancellationToken,
    outbox: Vec<Out>,
}

impl Machine {
    pub(crate) fn new(
        spec: &MachineSpec,
        position: Position,
        personality: &'static Personality,
        hardware: Hardware,
        seed: u64,
        time_scale: f64,
        moment: Moment,
    ) -> Result<Self, UnknownBootDevice> {
        let drives = hardware::drives(spec, seed);
        let boot = boot_manager(spec, &drives, &hardware)?;
        let power = if spec.powered_on {
            Power::PoweringOn { until: moment.now }
        } else {
            Power::Off
        };
        let mut machine = Self {
            redfish: RedfishState::new(personality, spec, position.number, seed, moment.now),
            replay: None,
            timing: Timing::new(&spec.timing, &personality.timing, time_scale),
            bios: Bios::new(&spec.bios_attributes),
            shown: PowerHistory::new(power.state(personality.power.shows_guest_shutdown)),
            hardware,
            personality,
            position,
            quirks: quirk::of(personality.quirks, &spec.quirks, &spec.without_quirks),
            power,
            execution: Execution::Nothing,
            guest: None,
            generation: 0,
            kernel_loaded: false,
            boot,
            drives,
            volumes: Vec::new(),
            volume_jobs: Vec::new(),
            volumes_created: 0,
            secure_boot: SecureBoot::default(),
            tpm: spec.tpm.unwrap_or(true).then(Tpm::default),
            https: Https::default(),
            log: EventLog::default(),
            firmware: InstalledFirmware::default(),
            media: personality.media.slots.iter().map(MediaSlot::new).collect(),
            indicator_lit: false,
            asset_tag: String::new(),
            faults: Faults::default(),
            hiccups: Hiccups::default(),
            absence: None,
            counters: Counters::default(),
            time_scale,
            seed,
            warmth: Warmth::new(moment.now),
            bmc_started: moment.wall,
            clock_offset: SignedDuration::ZERO,
            fault_expiries: Vec::new(),
            alarm: None,
            stop: CancellationToken::new(),
            outbox: Vec::new(),
        };
        for volume in &spec.volumes {
            let new = machine.delivered_volume(volume);
            machine.create_volume(new);
        }
        Ok(machine)
    }

    /// When [`Machine::settle`] has something to do next.
    pub(crate) fn next_due(&self) -> Option<Instant> {
        let timers = self.erasures_due().into_iter().chain(self.power.due());
        timers
            .chain(self.volume_jobs_due())
            .chain(self.reports_due())
            .chain(self.absence.map(|absence| absence.ready_at))
            .chain(self.fault_expiries.iter().map(|(until, _)| *until))
            .min()
    }

    /// A fault is gone that may have held tasks back.
    pub(crate) fn release_tasks(&mut self, moment: Moment) {
        if !self.faults.hold_tasks() {
            self.release_erasures(moment);
            self.release_volume_jobs(moment);
        }
    }

    /// The next deadline, if it is another one than at the last call.
    pub(crate) fn new_alarm(&mut self) -> Option<Instant> {
        let due = self.next_due();
        if due == self.alarm {
            return None;
        }
        self.alarm = due;
        due
    }

    /// Lets everything happen that was due until now, in the order in which it was due.
    pub(crate) fn settle(&mut self, moment: Moment) {
        while let Some(due) = self.next_due().filter(|due| *due <= moment.now) {
            let then = Moment {
                now: due,
                wall: moment.wall_at(due),
            };
            if self.power.due() == Some(due) {
                // A timer input is never refused.
                let _ = self.step(Input::Timer, then);
            }
            if self.absence.is_some_and(|absence| absence.ready_at <= due) {
                self.absence = None;
                self.bmc_started = then.wall;
                self.hiccups.bmc_restarted = Some(due);
                self.event(then.wall, MachineEventKind::BmcReady);
            }
            let expired = self
                .fault_expiries
                .extract_if(.., |(until, _)| *until <= due)
                .collect::<Vec<_>>();
            for (_, id) in expired {
                self.faults.remove(id);
                self.release_tasks(then);
            }
            self.finish_erasures(then);
            self.finish_volume_jobs(then);
            self.send_reports(then);
        }
    }

    pub(crate) fn event(&mut self, at: Timestamp, kind: MachineEventKind) {
        self.log.note(self.bmc_time(at), &kind);
        self.outbox.push(Out::Event(at, kind));
    }

    pub(crate) fn queue(&mut self, outs: impl IntoIterator<Item = Out>) {
        self.outbox.extend(outs);
    }

    pub(crate) fn take_outbox(&mut self) -> Vec<Out> {
        std::mem::take(&mut self.outbox)
    }

    /// `duration` of real hardware, as long as this run lets it take.
    pub(crate) fn scaled(&self, duration: Duration) -> Duration {
        duration.div_f64(self.time_scale)
    }

    /// A reset command from outside (Redfish or admin API).
    pub(crate) fn reset(&mut self, reset: ResetType, moment: Moment) -> Result<(), Refusal> {
        if self.faults.loses_reset() {
            return Ok(());
        }
        let graceful = matches!(reset, ResetType::GracefulShutdown | ResetType::GracefulRestart);
        if graceful && self.power == Power::Up && self.faults.ignores_power_button() {
            self.counters.resets += 1;
            self.event(
                moment.wall,
                MachineEventKind::ResetRequested {
                    reset_type: reset.as_str().to_owned(),
                },
            );
            return Ok(());
        }
        let hangs = reset == ResetType::ForceRestart && self.power == Power::Up && self.has(Quirk::ForceRestartHangs);
        self.step(Input::Reset(reset), moment)?;
        self.hiccups.hangs = hangs;
        self.counters.resets += 1;
        Ok(())
    }

    /// Somebody presses the power button of a machine that is off.
    pub(crate) fn press_power_button(&mut self, moment: Moment) {
        // The button of a machine in transition does nothing, as on real ones.
        let _ = self.step_as(
            Input::Reset(ResetType::On),
            Some(MachineEventKind::PowerButtonPressed),
            moment,
        );
    }

    pub(crate) fn guest_input(&mut self, input: Input, moment: Moment) {
        // Inputs of a guest are never refused.
        let _ = self.step(input, moment);
    }

    fn step(&mut self, input: Input, moment: Moment) -> Result<(), Refusal> {
        let told = match input {
            Input::Reset(reset) => Some(MachineEventKind::ResetRequested {
                reset_type: reset.as_str().to_owned(),
            }),
            _ => None,
        };
        self.step_as(input, told, moment)
    }

    /// `told` is what observers hear of an input that was taken.
    fn step_as(&mut self, input: Input, told: Option<MachineEventKind>, moment: Moment) -> Result<(), Refusal> {
        let around = Surroundings {
            timing: &self.timing,
            button: self.power_button(),
        };
        let (power, effects) = self.power.step(input, moment.now, around)?;
        if let Some(told) = told {
            self.event(moment.wall, told);
        }
        self.power = power;
        for effect in effects {
            match effect {
                Effect::StopExecution => self.stop_execution(moment, "the machine was reset or lost power"),
                Effect::EnterPost => self.enter_post(moment),
                Effect::Boot => self.start_boot(moment),
            }
        }
        self.show(power.state(self.personality.power.shows_guest_shutdown), moment);
        Ok(())
    }

    fn power_button(&self) -> PowerButton {
        match self.execution {
            Execution::Guest { .. } => PowerButton::Guest,
            Execution::PostHung { .. } => PowerButton::Nobody,
            _ if self.kernel_loaded || self.has(Quirk::FirmwareIgnoresPowerButton) => PowerButton::Nobody,
            _ => PowerButton::Firmware,
        }
    }

    fn show(&mut self, state: PowerState, moment: Moment) {
        let reach = self.scaled(self.faults.staleness());
        if self.shown.record(state, moment.now, reach) {
            self.hiccups.power_changed = Some(moment.now);
            self.event(moment.wall, MachineEventKind::Power { state });
        }
    }

    /// The power state that a reader gets, who is told nothing newer than the BMC's last look.
    pub(crate) fn power_state_read(&self, now: Instant) -> PowerState {
        self.shown.before(now, self.scaled(self.faults.staleness()))
    }

    /// Whether processors and memory are not known at the moment.
    pub(crate) fn hides_inventory(&self, now: Instant) -> bool {
        self.has(Quirk::InventoryOnlyWhenOn) && self.power_state_read(now) == PowerState::Off
    }

    /// Power is gone at once, as when a cable is pulled.
    pub(crate) fn lose_power(&mut self, moment: Moment) {
        self.stop_execution(moment, "the machine lost power");
        self.power = Power::Off;
        self.show(PowerState::Off, moment);
    }

    fn stop_execution(&mut self, moment: Moment, reason: &str) {
        self.generation += 1;
        self.kernel_loaded = false;
        self.outbox.push(Out::Stop(std::mem::take(&mut self.stop)));
        if let Execution::Guest { .. } = std::mem::replace(&mut self.execution, Execution::Nothing) {
            self.event(
                moment.wall,
                MachineEventKind::GuestStopped {
                    reason: reason.to_owned(),
                },
            );
        }
    }

    fn enter_post(&mut self, moment: Moment) {
        self.execution = Execution::Post;
        let factory_defaults = self.bios.apply(self.personality);
        self.boot.enter_post(factory_defaults);
        self.firmware.enter_post();
        self.secure_boot.enter_post();
        self.measure_firmware();
        self.apply_staged_volumes(moment);
        let bmc_moment = self.bmc_moment(moment);
        for task in self.redfish.tasks.finish_staged(bmc_moment) {
            self.event(
                moment.wall,
                MachineEventKind::TaskFinished {
                    task,
                    state: "Completed".to_owned(),
                },
            );
        }
    }

    fn measure_firmware(&mut self) {
        let version = self.firmware.version(Component::Bios, self.personality);
        let secure_boot: &[u8] = if self.secure_boot.in_force { b"on" } else { b"off" };
        if let Some(tpm) = &mut self.tpm {
            tpm.reset();
            tpm.extend(Measured::Firmware, version.as_bytes());
            tpm.extend(Measured::SecureBoot, secure_boot);
        }
    }

    /// The firmware hands over to what it has loaded.
    pub(crate) fn load_kernel(&mut self, image: &[u8]) {
        self.kernel_loaded = true;
        if let Some(tpm) = &mut self.tpm {
            tpm.extend(Measured::BootLoader, image);
        }
    }

    /// An image has been written: the BMC restarts with it, the host loads it at the next POST.
    pub(crate) fn firmware_written(&mut self, task: &str, component: Component, version: String, moment: Moment) {
        self.firmware.write(component, version);
        match component {
            Component::Bios => self.redfish.tasks.wait_for_post(task),
            Component::Bmc => {
                self.finish_task(task, Ok(()), moment);
                self.reset_bmc(moment);
                if self.has(Quirk::DeafAfterUpdate) {
                    let ready_at = moment.now + self.scaled(DEAF_AFTER_UPDATE);
                    self.absence = Some(Absence {
                        answers_from: ready_at,
                        ready_at,
                    });
                }
            }
        }
    }

    pub(crate) fn finish_task(&mut self, task: &str, outcome: Result<(), String>, moment: Moment) {
        let bmc_moment = self.bmc_moment(moment);
        let state = self.redfish.tasks.finish(task, outcome, bmc_moment).to_owned();
        let task = task.to_owned();
        self.event(moment.wall, MachineEventKind::TaskFinished { task, state });
    }

    fn start_boot(&mut self, moment: Moment) {
        if self.faults.post_fails() || self.hiccups.hangs {
            let reason = "POST does not come to its end".to_owned();
            self.event(moment.wall, MachineEventKind::BootFailed { reason: reason.clone() });
            self.execution = Execution::PostHung { reason };
            return;
        }
        self.counters.boots += 1;
        let armed = self.boot.override_.clone();
        let target = armed.target;
        if self.has(Quirk::ContinuousNotKept) && self.boot.override_.enabled == OverrideEnabled::Continuous {
            self.boot.override_.enabled = OverrideEnabled::Once;
        }
        let mut media = self.inserted_media();
        if self.has(Quirk::VirtualCdIsUsbCd) && target == BootTarget::Cd {
            // That is a drive in the machine, and it has none.
            media.clear();
        }
        let plan = self.boot.plan(&media);
        if self.has(Quirk::OnceStaysArmed) {
            self.boot.override_ = armed;
        }
        match plan {
            BootPlan::Setup => {
                self.event(moment.wall, MachineEventKind::SetupEntered);
                self.execution = Execution::Setup;
            }
            BootPlan::Try {
                devices,
                http_boot_uri,
                from_override,
            } => {
                let is_http = target == BootTarget::UefiHttp && from_override;
                let configured = || self.bios.url_boot_file(self.personality).filter(|_| is_http);
                let http_boot_uri = http_boot_uri.or_else(configured);
                let labels = devices.iter().map(BootDevice::label).collect();
                self.event(
                    moment.wall,
                    MachineEventKind::BootStarted {
                        devices: labels,
                        from_override,
                    },
                );
                self.generation += 1;
                self.execution = Execution::Firmware { device: None };
                self.outbox.push(Out::Boot(BootJob {
                    generation: self.generation,
                    devices,
                    http_boot_uri,
                    stop: self.stop.clone(),
                }));
            }
        }
    }

    /// The BMC restarts; the host keeps running. Sessions do not survive it.
    pub(crate) fn reset_bmc(&mut self, moment: Moment) {
        self.counters.bmc_resets += 1;
        let starting = self.timing.bmc_reset * self.personality.starting_percent / 100;
        let ready_at = moment.now + self.timing.bmc_reset;
        self.absence = Some(Absence {
            answers_from: ready_at - starting,
            ready_at,
        });
        if self.has(Quirk::TasksLostAtReset) {
            self.redfish.tasks.clear();
        }
        self.redfish.subscriptions.end_streams(None);
        self.event(moment.wall, MachineEventKind::BmcReset);
        for session in self.redfish.sessions.clear() {
            self.event(
                moment.wall,
                MachineEventKind::SessionClosed {
                    session,
                    reason: "the BMC was restarted".to_owned(),
                },
            );
        }
    }

    /// Whether its BMC does this.
    pub(crate) fn has(&self, quirk: Quirk) -> bool {
        self.quirks.contains(&quirk)
    }

    /// Whether connections to the BMC are not accepted.
    pub(crate) fn is_unreachable(&self, now: Instant) -> bool {
        self.faults.unreachable() || self.absence.is_some_and(|absence| now < absence.answers_from)
    }

    /// Whether the certificate keeps everybody away. Where there is TLS, clients see for themselves.
    pub(crate) fn is_distrusted(&self) -> bool {
        let is_bad = self.faults.certificate_expired() || self.faults.certificate_of_another();
        is_bad && !self.https.is_served
    }

    /// The fault ends by itself at `until`.
    pub(crate) fn expire_fault(&mut self, id: FaultId, until: Instant) {
        self.fault_expiries.push((until, id));
    }
}

/// A boot order names something the machine does not have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct UnknownBootDevice(pub String);

fn boot_manager(spec: &MachineSpec, drives: &[Drive], hardware: &Hardware) -> Result<Boot, UnknownBootDevice> {
    let mut devices: Vec<BootDevice> = drives
        .iter()
        .map(|drive| BootDevice::Drive {
            drive: drive.name.clone(),
        })
        .collect();
    devices.extend(
        hardware
            .nics
            .iter()
            .map(|nic| BootDevice::Network { nic: nic.name.clone() }),
    );
    let position = |name: &String| {
        devices
            .iter()
            .position(|device| match device {
                BootDevice::Drive { drive } => drive.0 == *name,
                BootDevice::Network { nic } => nic == name,
                BootDevice::Media { .. } => false,
            })
            .ok_or_else(|| UnknownBootDevice(name.clone()))
    };
    let order = match &spec.boot_order {
        Some(names) => names.iter().map(position).collect::<Result<Vec<_>, _>>()?,
        None => (0..devices.len()).collect(),
    };
    Ok(Boot::new(devices, &order))
}
