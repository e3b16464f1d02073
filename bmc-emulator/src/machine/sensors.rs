//! Sensors: readings follow from what the machine does, and since when. Nothing is stored but the last change of load.

use std::time::Duration;

use tokio::time::Instant;

use super::truth::Execution;
use super::{Machine, Moment};
use crate::identity;
use crate::machine::power::{Power, PowerState};

const FANS: usize = 4;
pub(crate) const POWER_SUPPLIES: usize = 2;
pub(crate) const POWER_SUPPLY_WATTS: f64 = 1100.0;
const FAN_MAXIMUM_RPM: f64 = 18_000.0;
/// How fast a heat sink gets warm or cools down: two thirds of the way.
const INERTIA: Duration = Duration::from_secs(120);

/// What a sensor measures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Quantity {
    TemperatureCelsius,
    FanPercent,
    PowerWatts,
    LineVolts,
}

#[derive(Debug)]
pub(crate) struct Sensor {
    pub id: String,
    pub name: String,
    pub quantity: Quantity,
    /// `PhysicalContext`.
    pub context: &'static str,
    /// Nothing where what is measured is off.
    pub reading: Option<f64>,
    pub thresholds: Option<Thresholds>,
}

/// `UpperCaution` and `UpperCritical`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Thresholds {
    pub caution: f64,
    pub critical: f64,
}

impl Sensor {
    /// What a fan turns with.
    pub(crate) fn speed_rpm(&self) -> Option<f64> {
        let is_fan = self.quantity == Quantity::FanPercent;
        self.reading
            .filter(|_| is_fan)
            .map(|percent| (percent / 100.0 * FAN_MAXIMUM_RPM).round())
    }
}

/// How warm the machine is, as the share of its load that it would be in balance with.
#[derive(Debug)]
pub(crate) struct Warmth {
    load: f64,
    /// When it began to approach `load`, and from where.
    since: Instant,
    from: f64,
}

impl Warmth {
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            load: 0.0,
            since: now,
            from: 0.0,
        }
    }

    fn at(&self, now: Instant, inertia: Duration) -> f64 {
        let passed = now.saturating_duration_since(self.since).as_secs_f64();
        let left = (-passed / inertia.as_secs_f64()).exp();
        self.load + (self.from - self.load) * left
    }
}

impl Machine {
    /// The share of its power that it draws; what a machine in standby needs is a little.
    fn load(&self) -> f64 {
        let runs = match (&self.power, &self.execution) {
            (Power::Off, _) => return 0.02,
            (Power::PoweringOn { .. } | Power::Post { .. }, _) => 0.6,
            (_, Execution::Guest { .. }) => 0.5,
            _ => 0.4,
        };
        let erases = self.drives.iter().any(|drive| drive.erasure.is_some());
        runs + if erases { 0.1 } else { 0.0 }
    }

    /// Called whenever something may have changed what the machine does.
    pub(crate) fn note_load(&mut self, now: Instant) {
        let load = self.load();
        if load != self.warmth.load {
            let from = self.warmth.at(now, self.scaled(INERTIA));
            self.warmth = Warmth { load, since: now, from };
        }
    }

    fn maximum_watts(&self) -> f64 {
        // Some hundreds: exact in a float.
        150.0 + 200.0 * self.hardware.processors.len() as f64 + 8.0 * self.drives.len() as f64
    }

    /// All sensors of the chassis as they read now.
    pub(crate) fn sensors(&self, moment: Moment) -> Vec<Sensor> {
        let warmth = self.warmth.at(moment.now, self.scaled(INERTIA));
        let is_on = self.power.state(true) != PowerState::Off;
        let noise = |id: &str| self.noise(id, moment);
        let mut sensors = vec![Sensor {
            reading: Some(rounded(22.0 + 2.0 * noise("InletTemp"))),
            id: "InletTemp".to_owned(),
            name: "Inlet Temperature".to_owned(),
            quantity: Quantity::TemperatureCelsius,
            context: "Intake",
            thresholds: Some(Thresholds {
                caution: 43.0,
                critical: 47.0,
            }),
        }];
        sensors.extend((1..=self.hardware.processors.len()).map(|number| {
            let id = format!("CPU{number}Temp");
            Sensor {
                reading: is_on.then(|| rounded(28.0 + 60.0 * warmth + 2.0 * noise(&id))),
                name: format!("CPU {number} Temperature"),
                id,
                quantity: Quantity::TemperatureCelsius,
                context: "CPU",
                thresholds: Some(Thresholds {
                    caution: 92.0,
                    critical: 100.0,
                }),
            }
        }));
        sensors.extend((1..=FANS).map(|number| {
            let id = format!("Fan{number}");
            Sensor {
                reading: is_on.then(|| rounded(15.0 + 60.0 * warmth + noise(&id))),
                name: format!("Fan {number}"),
                id,
                quantity: Quantity::FanPercent,
                context: "Fan",
                thresholds: None,
            }
        }));
        let watts = self.maximum_watts() * self.load() + 2.0 * noise("TotalPower");
        sensors.push(Sensor {
            id: "TotalPower".to_owned(),
            name: "Total Power".to_owned(),
            quantity: Quantity::PowerWatts,
            context: "Chassis",
            reading: Some(rounded(watts)),
            thresholds: None,
        });
        sensors.extend((1..=POWER_SUPPLIES).map(|number| {
            let id = format!("PSU{number}InputVoltage");
            Sensor {
                reading: Some(rounded(230.0 + noise(&id))),
                name: format!("PSU {number} Input Voltage"),
                id,
                quantity: Quantity::LineVolts,
                context: "PowerSupply",
                thresholds: None,
            }
        }));
        sensors
    }

    /// Between -1 and 1, another value every minute, the same in every run of the same fleet.
    fn noise(&self, sensor: &str, moment: Moment) -> f64 {
        let minute = (moment.wall.as_second() / 60).to_string();
        let bytes = identity::derive(0, &[&self.hardware.serial_number, sensor, &minute]);
        f64::from(bytes[0]) / 127.5 - 1.0
    }
}

fn rounded(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn warmth_follows_load_slowly() {
        let start = Instant::now();
        let warmth = Warmth {
            load: 0.5,
            since: start,
            from: 0.1,
        };
        let inertia = Duration::from_secs(120);
        for (seconds, expected) in [(0, 0.1), (120, 0.353), (3600, 0.5)] {
            let actual = warmth.at(start + Duration::from_secs(seconds), inertia);
            assert!((actual - expected).abs() < 0.001, "{actual} after {seconds} s");
        }
    }
}
