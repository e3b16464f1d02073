"""Drives one BMC with sushy, the Redfish client of OpenStack, through what Ironic does to a server.

Arguments: the URL of the service, user, password.
"""

import http.server
import threading

import sushy
from sushy import auth, exceptions

FILES = {"/rescue.iso": b"CD001", "/bios-9.9.bin": b"firmware"}
# What a BMC may leave out.
NOT_OFFERED = (exceptions.MissingAttributeError, exceptions.MissingActionError)


class Files(http.server.BaseHTTPRequestHandler):
    """Serves images and takes events."""

    def do_GET(self):
        content = FILES.get(self.path)
        self.send_response(200 if content else 404)
        self.end_headers()
        self.wfile.write(content or b"")

    def do_POST(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_):
        pass


def serve_files():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Files)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_port}"


class Bmc:
    """The steps, in the order of their names in STEPS."""

    def __init__(self, url, user, password, files):
        self.root = sushy.Sushy(url, auth=auth.SessionAuth(user, password), verify=False)
        self.system = self.root.get_system_collection().get_members()[0]
        self.manager = self.root.get_manager_collection().get_members()[0]
        self.chassis = self.root.get_chassis_collection().get_members()[0]
        self.files = files

    def inventory(self):
        system = self.system
        assert system.uuid and system.processors.get_members() and system.memory_summary.size_gib
        assert system.ethernet_interfaces.summary, "no network card"
        assert system.storage.drives_sizes_bytes, "no drive"

    def reset(self, target, state):
        self.system.reset_system(target)
        until(lambda: self.system.refresh(force=True) or self.system.power_state == state, f"it is not {state} after {target}")

    def power_off(self):
        self.reset(sushy.RESET_TYPE_FORCE_OFF, sushy.SYSTEM_POWER_STATE_OFF)

    def power_on(self):
        self.reset(sushy.RESET_TYPE_ON, sushy.SYSTEM_POWER_STATE_ON)
        wait_for_post()

    def network_boot(self):
        self.system.set_system_boot_options(sushy.BOOT_SOURCE_TARGET_PXE, enabled=sushy.BOOT_SOURCE_ENABLED_ONCE)
        self.system.refresh(force=True)
        assert self.system.boot.target == sushy.BOOT_SOURCE_TARGET_PXE, self.system.boot.target

    def bios(self):
        texts = {name: value for name, value in self.system.bios.attributes.items() if value and isinstance(value, str)}
        self.system.bios.set_attributes(dict([min(texts.items())]))
        assert self.system.bios.get_attribute_registry().registry_entries.attributes, "the registry is empty"

    def secure_boot(self):
        self.system.secure_boot.set_enabled(True)

    def virtual_media(self):
        slot = self.disc_slot()
        slot.insert_media(f"{self.files}/rescue.iso")
        slot.refresh(force=True)
        assert slot.inserted, "it is not inserted"
        slot.eject_media()
        slot.refresh(force=True)
        assert not slot.inserted, "it is not ejected"

    def disc_slot(self):
        for owner in (self.system, self.manager):
            try:
                slots = owner.virtual_media.get_members()
            except exceptions.MissingAttributeError:
                continue
            return next(slot for slot in slots if sushy.VIRTUAL_MEDIA_CD in slot.media_types)
        raise AssertionError("neither the system nor the manager has virtual media")

    def thermal_and_power(self):
        assert self.chassis.thermal.temperatures[0].reading_celsius > 0
        assert self.chassis.power.power_supplies, "no power supply"

    def indicator(self):
        self.system.set_indicator_led(sushy.INDICATOR_LED_LIT)

    def firmware_update(self):
        monitor = self.root.get_update_service().simple_update(f"{self.files}/bios-9.9.bin")
        self.system.reset_system(sushy.RESET_TYPE_FORCE_RESTART)
        until(lambda: monitor.refresh() or not monitor.is_processing, "the update has not ended")

    def events(self):
        subscriptions = self.root.get_event_service().subscriptions
        made = subscriptions.create({"Destination": self.files, "Protocol": "Redfish", "Context": "interop"})
        assert made is not None


STEPS = [
    "inventory",
    "power_off",
    "power_on",
    "network_boot",
    "bios",
    "secure_boot",
    "virtual_media",
    "thermal_and_power",
    "indicator",
    "events",
    "firmware_update",
]


def is_not_offered(reason):
    wanted_more = isinstance(reason, exceptions.HTTPError) and reason.status_code == PRECONDITION_REQUIRED
    return wanted_more or isinstance(reason, NOT_OFFERED)


def main():
    url, user, password = sys.argv[1:]
    bmc = Bmc(url, user, password, serve_files())
    sys.exit(run(bmc, STEPS, is_not_offered))


if __name__ == "__main__":
    main()
