//! Emulated bare-metal machines and the BMCs in front of them.
//!
//! | module | what lives there |
//! |---|---|
//! | [`fleet`] | the fleet file, and the fleet that is built from it |
//! | `machine` | one machine in time: power, boot settings, BIOS, drives |
//! | `firmware` | what happens between POST and an operating system |
//! | [`guest`] | the operating system, provided by whoever runs the fleet, and how it sees the machine |
//! | `record` | real BMCs, recorded |
//! | `update` | firmware updates |
//! | `redfish` | the Redfish face, one file per service |
//! | `personality` | how vendors differ, as data |
//! | `mockup` | recorded machines that are brought to life |
//! | [`Quirk`] | what real BMCs do beside the specification, as switches |
//! | [`fault`] | what can be made to go wrong |
//! | `admin` | the API for tests: inspect, inject, act |
//! | [`serve`] | TLS sockets, one address per BMC |
//! | `ssh` | the shell, in which a BMC can be restarted |
//! | [`ssdp`] | discovery |

//!
//! Time is `tokio::time` throughout; timestamps, outgoing HTTP, guests and the seed come in through [`Edges`].
//! Nothing runs unless [`Fleet::run`] is polled, and a machine at rest costs no timer.

mod admin;
mod bmc;
mod certificate;
mod edges;
mod event;
pub mod fault;
mod firmware;
pub mod fleet;
pub mod guest;
mod identity;
mod machine;
mod mockup;
mod personality;
mod quirk;
mod record;
mod redfish;
mod secret;
pub mod serve;
pub mod ssdp;
mod ssh;
mod update;

pub use self::admin::{ActionError, AdminAction};
pub use self::bmc::{Bmc, BmcEndpoint};
pub use self::edges::{BoxError, Clock, Edges, HttpService};
pub use self::event::{MachineEvent, MachineEventKind, Observer};
pub use self::fault::{ConnectionDropped, Distribution, Fault, FaultError, FaultId, FleetFault, HttpAction, When};
pub use self::fleet::model::ServerModel;
pub use self::fleet::spec::FleetSpec;
pub use self::fleet::{Fleet, FleetError, InjectError, Mockups, NotAShard, Shard};
pub use self::guest::{Boot, BootSource, GuestExit, GuestOs, InBand, InBandDrive, InBandNic};
pub use self::machine::boot::{BootDevice, BootOverride, BootTarget, OverrideEnabled, OverrideMode};
pub use self::machine::drive::{DriveContent, DriveError, DriveName};
pub use self::machine::guest::GuestIdentity;
pub use self::machine::power::{PowerState, ResetType};
pub use self::machine::truth::{Counters, DriveTruth, Execution, InjectedFault, MachineTruth, VolumeTruth};
pub use self::machine::volume::RaidType;
pub use self::mockup::{Mockup, MockupError};
pub use self::personality::PersonalityName;
pub use self::quirk::Quirk;
pub use self::record::{RecordError, RecordOptions, RecordProgress, Recording, record};
pub use self::secret::Secret;
pub use self::ssh::SshOutput;
