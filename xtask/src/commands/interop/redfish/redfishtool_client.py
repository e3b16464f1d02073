"""Drives one BMC with the DMTF's command line, `redfishtool`.

Arguments: the URL of the service, user, password.
"""

import json
import pathlib
import subprocess
import urllib.parse

TOOL = pathlib.Path(sys.executable).with_name("redfishtool")


class Bmc:
    """The steps, in the order of their names in STEPS."""

    def __init__(self, url, user, password):
        host = urllib.parse.urlsplit(url).netloc
        self.common = [TOOL, "-r", host, "-u", user, "-p", password, "-S", "Always", "-A", "Session", "-T", "30", "-s"]

    def run(self, *arguments):
        done = subprocess.run([*self.common, *arguments], capture_output=True, text=True, check=False)
        said = done.stdout + done.stderr
        if "428" in said and done.returncode:
            raise NotOffered("it demands a precondition that redfishtool does not send")
        assert done.returncode == 0, f"{' '.join(arguments)}: {said.strip()}"
        return done.stdout

    def get(self, *arguments):
        printed = self.run(*arguments)
        return json.loads(printed[printed.index("{") :])

    def system(self, *arguments):
        return self.get("Systems", "-F", *arguments)

    def inventory(self):
        system = self.system("get")
        assert system["UUID"] and self.get("Managers", "-F", "get")["FirmwareVersion"]
        assert self.get("Chassis", "-F", "get")["ChassisType"]
        assert self.system("Processors", "list") and self.system("EthernetInterfaces", "list")

    def reset(self, kind, state):
        self.run("Systems", "-F", "reset", kind)
        until(lambda: self.system("get")["PowerState"] == state, f"it is not {state} after {kind}", pause=0.5)

    def power(self):
        self.reset("ForceOff", "Off")
        self.reset("On", "On")
        wait_for_post()

    def boot(self):
        try:
            self.run("Systems", "-F", "setBootOverride", "Once", "Pxe")
        except AssertionError:
            # It writes the boot mode back that it has read, which not every BMC lets it.
            boot = {"BootSourceOverrideEnabled": "Once", "BootSourceOverrideTarget": "Pxe"}
            self.run("Systems", "-F", "patch", json.dumps({"Boot": boot}))
        assert self.system("get")["Boot"]["BootSourceOverrideTarget"] == "Pxe"

    def bios(self):
        system = self.system("get")
        if "Bios" not in system:
            raise NotOffered("no Bios")
        bios = self.get("raw", "GET", system["Bios"]["@odata.id"])
        texts = {name: value for name, value in bios["Attributes"].items() if value and isinstance(value, str)}
        change = json.dumps({"Attributes": dict([min(texts.items())])})
        self.run("raw", "-d", change, "PATCH", bios["@Redfish.Settings"]["SettingsObject"]["@odata.id"])

    def accounts(self):
        service = self.get("AccountService", "Accounts")
        if any(not self.get("raw", "GET", link["@odata.id"])["UserName"] for link in service["Members"]):
            raise NotOffered("accounts are slots, which redfishtool does not fill")
        self.run("AccountService", "adduser", "interop2", "Interop-5678", "Operator")
        assert "interop2" in self.run("AccountService", "Accounts", "list")
        self.run("AccountService", "setpassword", "interop2", "Interop-9012")
        self.run("AccountService", "deleteuser", "interop2")
        assert "interop2" not in self.run("AccountService", "Accounts", "list")

    def virtual_media(self):
        for owner in (self.system("get"), self.get("Managers", "-F", "get")):
            if "VirtualMedia" in owner:
                break
        else:
            raise AssertionError("neither the system nor the manager has virtual media")
        slots = self.get("raw", "GET", owner["VirtualMedia"]["@odata.id"])["Members"]
        slot = self.get("raw", "GET", slots[0]["@odata.id"])
        actions = slot.get("Actions", {})
        if "#VirtualMedia.InsertMedia" not in actions:
            raise NotOffered("media are inserted by PATCH")
        insert = actions["#VirtualMedia.InsertMedia"]["target"]
        self.run("raw", "-d", '{"Image": "http://127.0.0.1:9/rescue.iso"}', "POST", insert)
        assert self.get("raw", "GET", slots[0]["@odata.id"])["Inserted"]
        self.run("raw", "-d", "{}", "POST", actions["#VirtualMedia.EjectMedia"]["target"])

    def events(self):
        subscription = {"Destination": "http://127.0.0.1:9/", "Protocol": "Redfish", "Context": "redfishtool"}
        self.run("raw", "-d", json.dumps(subscription), "POST", "/redfish/v1/EventService/Subscriptions")
        made = self.get("raw", "GET", "/redfish/v1/EventService/Subscriptions")["Members"]
        assert made, "the subscription is not there"
        self.run("raw", "DELETE", made[-1]["@odata.id"])


STEPS = ["inventory", "power", "boot", "bios", "accounts", "virtual_media", "events"]


def main():
    sys.exit(run(Bmc(*sys.argv[1:]), STEPS))


if __name__ == "__main__":
    main()
