//! Particulars of faults, drawn.

use super::class::FaultClass;
use super::draw::Draw;
use super::machines;
use super::mishap::Mishap;
use crate::net::disturbance::{Disturbance, Trouble};
use bmc_emulator::fleet::duration::DurationText;
use bmc_emulator::{AdminAction, DriveName, Fault, HttpAction, PowerState, When};
use std::time::Duration;

/// All processes of the operator.
const OPERATOR: &str = "operator-*";
/// Resources that are watched.
pub(super) const WATCHED: [&str; 6] = [
    "servers",
    "serverclaims",
    "bmcs",
    "bmcsecrets",
    "serverbootconfigurations",
    "servermaintenances",
];
/// Kinds with a status that matters.
const WITH_STATUS: [&str; 5] = [
    "Server",
    "ServerClaim",
    "BMC",
    "ServerBootConfiguration",
    "ServerMaintenance",
];

/// Whether it happens to one machine; else it happens to the world.
pub(super) fn is_of_machines(class: FaultClass) -> bool {
    use FaultClass as C;
    !matches!(
        class,
        C::Partition
            | C::DoubledCallback
            | C::ApiConflict
            | C::ApiThrottled
            | C::ApiError
            | C::ApiUnavailable
            | C::CommitUnknown
            | C::WatchLag
            | C::WatchReordered
            | C::WatchCut
            | C::WatchExpired
            | C::WatchSilent
            | C::ApiRestart
            | C::StatusLost
            | C::ClusterRestored
            | C::ApiClock
            | C::OperatorCrash
            | C::OperatorRestart
            | C::RollingUpgrade
            | C::LeaseLoss
            | C::OperatorPause
    )
}

/// A fault of this class. `None` where the machine has not what it takes.
pub(super) fn draw(class: FaultClass, number: u32, percent: u8, lasts: Duration, draw: &mut Draw) -> Option<Mishap> {
    use FaultClass as C;
    let machine = machines::name(number);
    let bmc = format!("bmc/{machine}");
    let of_bmc = |trouble| link(OPERATOR, &bmc, trouble, percent);
    let of_api = |trouble| link(OPERATOR, "api", trouble, percent);
    let fault = |fault| Mishap::Machine {
        machine: machine.clone(),
        fault,
    };
    let hands = |action, undo| Mishap::Hands {
        machine: machine.clone(),
        action,
        undo,
    };
    let http = |action| {
        fault(Fault::Http {
            method: None,
            path: "**".to_owned(),
            action,
            remaining: None,
            when: When::default(),
        })
    };
    let milliseconds = u64::try_from(lasts.as_millis()).unwrap_or(u64::MAX);
    let drives = machines::drives(number);
    Some(match class {
        C::SlowLink => {
            let trouble = Trouble::Slow {
                milliseconds: 200 + draw.number() % 4_800,
            };
            let (from, to) = *draw.one_of(&[
                (OPERATOR, bmc.as_str()),
                (OPERATOR, "api"),
                ("machines", "boot"),
                ("machines", "registry"),
                ("boot-server", "api"),
            ]);
            link(from, to, trouble, percent)
        }
        C::Refused => {
            let (from, to) = *draw.one_of(&[(OPERATOR, bmc.as_str()), ("machines", "boot"), ("machines", "registry")]);
            link(from, to, Trouble::Refuse, percent)
        }
        C::BrokenBefore => of_bmc(Trouble::BreakBefore),
        C::BrokenAfter => of_bmc(Trouble::BreakAfter),
        C::LostRequest => of_bmc(Trouble::LoseRequest),
        C::LostAnswer => of_bmc(Trouble::LoseAnswer),
        C::Partition => {
            let (from, to) = *draw.one_of(&[
                (OPERATOR, "api"),
                (OPERATOR, "bmc/*"),
                ("machines", "boot"),
                ("machines", "registry"),
                ("boot-server", "api"),
            ]);
            link(from, to, Trouble::LoseRequest, 100)
        }
        C::DoubledCallback => {
            let trouble = Trouble::Duplicate { milliseconds };
            link("machines", "registry", trouble, percent)
        }
        C::ForgedCallback => Mishap::Forge { machine },
        C::ApiConflict => of_api(Trouble::Answer { status: 409 }),
        C::ApiThrottled => of_api(Trouble::Answer { status: 429 }),
        C::ApiError => of_api(Trouble::Answer { status: 500 }),
        C::ApiUnavailable => of_api(Trouble::Answer { status: 503 }),
        C::CommitUnknown => {
            let trouble = draw.one_of(&[Trouble::LoseAnswer, Trouble::BreakAfter]).clone();
            link(OPERATOR, "api", trouble, percent)
        }
        C::WatchLag => Mishap::WatchLag {
            milliseconds: 500 + draw.number() % 30_000,
            resource: None,
        },
        C::WatchReordered => Mishap::WatchLag {
            milliseconds: 500 + draw.number() % 30_000,
            resource: Some((*draw.one_of(&WATCHED)).to_owned()),
        },
        C::WatchCut => Mishap::CutWatches,
        C::WatchExpired => Mishap::ForgetHistory,
        C::WatchSilent => Mishap::SilenceWatches {
            milliseconds: 5_000 + draw.number() % 55_000,
        },
        C::ApiRestart => Mishap::RestartApi,
        C::StatusLost => {
            // Any of them, in any order.
            let mut kinds: Vec<&str> = WITH_STATUS.to_vec();
            let first = draw.index(kinds.len());
            kinds.rotate_left(first);
            kinds.truncate(1 + draw.index(WITH_STATUS.len()));
            Mishap::LoseStatus {
                kinds: kinds.into_iter().map(str::to_owned).collect(),
            }
        }
        C::ClusterRestored => {
            // Servers first, as the documentation asks for: a BMC would discover its machines anew.
            let mut kinds: Vec<&str> = WITH_STATUS.iter().copied().filter(|kind| *kind != "Server").collect();
            kinds.push("BMCSecret");
            let first = draw.index(kinds.len());
            kinds.rotate_left(first);
            if draw.percent(50) {
                kinds.reverse();
            }
            Mishap::RestoreCluster {
                kinds: kinds.into_iter().map(str::to_owned).collect(),
                milliseconds: draw.number() % 120_000,
            }
        }
        C::ApiClock => Mishap::SkewApi {
            seconds: i64::try_from(draw.number() % 14_400).unwrap_or_default() - 7_200,
        },
        C::BmcReboot => hands(AdminAction::BmcReset, None),
        C::BmcUnreachable => fault(Fault::BmcUnreachable { duration: None }),
        C::BmcUnavailable => http(HttpAction::Status {
            status: 503,
            body: None,
        }),
        C::BmcHang => http(HttpAction::Hang),
        // As long as the operator's `--power-off-confirmation-time` at most: nobody can tell a machine that is Off from one whose
        // BMC says so for hours.
        C::WrongPower => fault(Fault::WrongPowerState {
            reported: *draw.one_of(&[PowerState::On, PowerState::Off, PowerState::PoweringOff]),
            remaining: None,
            duration: Some(DurationText(Duration::from_secs(1 + draw.number() % 14))),
        }),
        C::UnknownPower => fault(Fault::PowerStateUnknown { duration: None }),
        C::RefusedCommand => fault(Fault::Http {
            method: Some("POST".to_owned()),
            path: "**/Actions/**".to_owned(),
            action: HttpAction::Status {
                status: *draw.one_of(&[400, 409, 503]),
                body: None,
            },
            remaining: Some(1 + u32::try_from(draw.index(4)).unwrap_or_default()),
            when: When::default(),
        }),
        C::StalePower => fault(Fault::StaleReads {
            duration: DurationText(Duration::from_secs(5 + draw.number() % 55)),
        }),
        C::LostCommand => fault(Fault::LostReset { remaining: Some(1) }),
        C::IgnoredShutdown => fault(Fault::NeverEndingShutdown { remaining: None }),
        C::SessionTableFull => fault(Fault::SessionTableFull {
            remaining: None,
            duration: None,
        }),
        C::BmcClock => fault(Fault::ClockReset { duration: None }),
        C::MachineClock => fault(Fault::HostClockReset { duration: None }),
        C::DriveFails => fault(Fault::DriveEraseFails {
            drive: DriveName(draw.one_of(&drives).0.to_owned()),
            message: "injected media error".to_owned(),
            remaining: None,
        }),
        C::DriveLies => {
            let in_band: Vec<_> = drives.iter().filter(|(_, out_of_band)| !out_of_band).collect();
            let (drive, _) = in_band.get(draw.index(in_band.len()))?;
            fault(Fault::DriveEraseLies {
                drive: DriveName((*drive).to_owned()),
                remaining: None,
            })
        }
        C::TaskNeverEnds => fault(Fault::TaskNeverEnds { duration: None }),
        C::PostFails => fault(Fault::PostFails { remaining: Some(1) }),
        C::GuestDies => fault(Fault::GuestDies {
            after: DurationText(Duration::from_secs(draw.number() % 120)),
            remaining: Some(1),
        }),
        C::NoLldp => fault(Fault::NoLldp { duration: None }),
        C::WrongNic => fault(Fault::WrongNic { remaining: Some(1) }),
        C::DrivePulled => {
            let drive = DriveName(draw.one_of(&drives).0.to_owned());
            let undo = AdminAction::InsertDrive { drive: drive.clone() };
            hands(AdminAction::PullDrive { drive }, Some(undo))
        }
        C::PowerCut => hands(AdminAction::PowerOff, None),
        C::PowerButton => hands(AdminAction::PowerOn, None),
        C::OperatorCrash => Mishap::CrashOperator,
        C::OperatorRestart => Mishap::RestartOperator,
        C::RollingUpgrade => Mishap::UpgradeOperator,
        C::LeaseLoss => link(OPERATOR, "api", Trouble::LoseRequest, 100),
        C::OperatorPause => Mishap::SuspendOperator,
    })
}

fn link(from: &str, to: &str, trouble: Trouble, percent: u8) -> Mishap {
    Mishap::Link {
        disturbance: Disturbance {
            from: from.into(),
            to: to.into(),
            trouble,
            percent,
        },
    }
}
