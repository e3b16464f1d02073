//! The indicator LED (contract section 3.4). Many BMCs know fewer patterns than Redfish, or none: what one does not take is not written
//! again until something about it changes.

use crds::Server;

use crate::bmc::IndicatorLed;
use crate::conditions::{self, Wish};

/// Condition on a Server whose LED was to be changed.
const INDICATOR_LED: &str = "IndicatorLED";

/// What to do about the LED.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Nothing,
    /// Write it, and then the condition.
    Set(IndicatorLed, Wish),
    /// It is as it should be, which is news.
    Settled(Wish),
}

/// Decides from what the BMC shows.
pub(super) fn decide(server: &Server, shown: Option<&str>) -> Verdict {
    let wanted = server.spec.indicator_led.as_ref();
    let wanted = wanted
        .map(crds::kinds::server::IndicatorLed::as_str)
        .unwrap_or_default();
    let known = server.status.as_ref();
    let known = known.and_then(|status| conditions::find(&status.conditions, INDICATOR_LED));
    let Some(led) = IndicatorLed::parse(wanted) else {
        return Verdict::Nothing;
    };
    if shown == Some(wanted) {
        return match known {
            Some(condition) if condition.status != "True" => {
                Verdict::Settled(Wish::yes(INDICATOR_LED, "Shown", "The LED shows what it should"))
            }
            _ => Verdict::Nothing,
        };
    }
    let message = format!("It should be {wanted}; the BMC shows {}", shown.unwrap_or("nothing"));
    if known.is_some_and(|condition| condition.status == "False" && condition.message == message) {
        return Verdict::Nothing;
    }
    Verdict::Set(led, Wish::no(INDICATOR_LED, "NotShown", message))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_written_once() {
        let mut server = Server::new("a", crds::ServerSpec::default());
        assert_eq!(decide(&server, Some("Off")), Verdict::Nothing, "nothing is wanted");
        server.spec.indicator_led = Some("Unknown".into());
        assert_eq!(decide(&server, Some("Off")), Verdict::Nothing, "nobody can want that");
        server.spec.indicator_led = Some("Blinking".into());
        let Verdict::Set(IndicatorLed::Blinking, wish) = decide(&server, Some("Off")) else {
            panic!("it has to be written")
        };
        let conditions = &mut server.status.get_or_insert_default().conditions;
        conditions::set(conditions, &wish, jiff::Timestamp::UNIX_EPOCH);
        assert_eq!(
            decide(&server, Some("Off")),
            Verdict::Nothing,
            "the BMC did not take it"
        );
        assert!(
            matches!(decide(&server, Some("Lit")), Verdict::Set(..)),
            "something has changed"
        );
        let Verdict::Settled(wish) = decide(&server, Some("Blinking")) else {
            panic!("that is news")
        };
        let conditions = &mut server.status.get_or_insert_default().conditions;
        conditions::set(conditions, &wish, jiff::Timestamp::UNIX_EPOCH);
        assert_eq!(decide(&server, Some("Blinking")), Verdict::Nothing);
        assert!(
            matches!(decide(&server, Some("Off")), Verdict::Set(..)),
            "somebody has changed it"
        );
    }
}
