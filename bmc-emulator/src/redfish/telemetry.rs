//! Which metric reports a BMC makes, and when it sends the next one. Values are not collected: a report is worked out from the
//! sensors as they were when it was due. There is no alarm while nobody has subscribed to metric reports.

use std::time::Duration;

use tokio::time::Instant;

use super::telemetry_service;
use crate::machine::sensors::Quantity;
use crate::machine::{Machine, Moment};
use crate::personality::TelemetryStyle;

/// How often a report is made as delivered.
const INTERVAL: Duration = Duration::from_secs(60);
/// `MinCollectionInterval`.
pub(super) const SHORTEST_INTERVAL: Duration = Duration::from_secs(5);

#[derive(Debug)]
pub(crate) struct Telemetry {
    reports: [Report; 2],
}

/// What is reported together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ReportKind {
    Thermal,
    Power,
}

impl ReportKind {
    pub(super) const ALL: [ReportKind; 2] = [ReportKind::Thermal, ReportKind::Power];

    pub(super) fn id(self, style: &TelemetryStyle) -> &'static str {
        match self {
            ReportKind::Thermal => style.thermal,
            ReportKind::Power => style.power,
        }
    }

    pub(super) fn quantities(self) -> [Quantity; 2] {
        match self {
            ReportKind::Thermal => [Quantity::TemperatureCelsius, Quantity::FanPercent],
            ReportKind::Power => [Quantity::PowerWatts, Quantity::LineVolts],
        }
    }
}

/// Settings of a `MetricReportDefinition`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Report {
    pub enabled: bool,
    /// `Schedule.RecurrenceInterval`.
    pub interval: Duration,
    /// When it was enabled, which the intervals count from.
    since: Instant,
    /// When it is sent next.
    next: Instant,
}

impl Telemetry {
    pub(crate) fn new(style: Option<&TelemetryStyle>, now: Instant) -> Self {
        let report = Report {
            enabled: style.is_some_and(|style| style.enabled),
            interval: INTERVAL,
            since: now,
            next: now,
        };
        Self { reports: [report; 2] }
    }

    pub(super) fn report(&self, kind: ReportKind) -> Report {
        self.reports[kind as usize]
    }

    fn report_mut(&mut self, kind: ReportKind) -> &mut Report {
        &mut self.reports[kind as usize]
    }
}

impl Machine {
    pub(super) fn set_report(&mut self, kind: ReportKind, enabled: bool, interval: Duration, now: Instant) {
        let report = self.redfish.telemetry.report_mut(kind);
        *report = Report {
            enabled,
            interval,
            since: now,
            next: now,
        };
        self.schedule_reports(now);
    }

    /// When a report was last due, at its beginning if it never was.
    pub(super) fn last_collection(&self, kind: ReportKind, now: Instant) -> Instant {
        let report = self.redfish.telemetry.report(kind);
        let interval = self.scaled(report.interval);
        let passed = now.saturating_duration_since(report.since);
        let whole = passed.as_nanos() / interval.as_nanos().max(1);
        report.since + interval * u32::try_from(whole).unwrap_or(u32::MAX)
    }

    /// Somebody has subscribed, or settings have changed: the next report is the one that is due next.
    pub(super) fn schedule_reports(&mut self, now: Instant) {
        for kind in ReportKind::ALL {
            let interval = self.scaled(self.redfish.telemetry.report(kind).interval);
            let next = self.last_collection(kind, now) + interval;
            self.redfish.telemetry.report_mut(kind).next = next;
        }
    }

    /// When the next report is sent, if anybody gets it.
    pub(crate) fn reports_due(&self) -> Option<Instant> {
        if !self.redfish.subscriptions.want_reports() {
            return None;
        }
        let reports = self.redfish.telemetry.reports.iter();
        reports.filter(|report| report.enabled).map(|report| report.next).min()
    }

    pub(crate) fn send_reports(&mut self, moment: Moment) {
        if self.reports_due().is_none() {
            return;
        }
        for kind in ReportKind::ALL {
            let report = self.redfish.telemetry.report(kind);
            if !report.enabled || report.next > moment.now {
                continue;
            }
            self.redfish.telemetry.report_mut(kind).next = report.next + self.scaled(report.interval);
            // Whoever restarts has nothing to tell.
            if self.absence.is_some() {
                continue;
            }
            if let Some((definition, report)) = telemetry_service::report(self, kind, moment) {
                self.deliver_report(&definition, &report);
            }
        }
    }
}
