// Drives one BMC with gofish, the Redfish library that Go programs use (Metal3, Tinkerbell, the IronCore metal-operator).
//
// Arguments: the URL of the service, user, password. Ends with a summary line as the DMTF's validators print it, and with 1
// if a step has failed.
package main

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"sort"
	"strings"
	"time"

	"github.com/stmcginnis/gofish"
	"github.com/stmcginnis/gofish/common"
	"github.com/stmcginnis/gofish/redfish"
)

// errNotOffered is what a BMC may leave out.
var errNotOffered = errors.New("not offered")

const patience = 60 * time.Second

type bmc struct {
	client  *gofish.APIClient
	config  gofish.ClientConfig
	system  *redfish.ComputerSystem
	manager *redfish.Manager
	files   string
	events  chan struct{}
}

func connect(url, user, password string) (*bmc, error) {
	config := gofish.ClientConfig{Endpoint: url, Username: user, Password: password, Insecure: true, ReuseConnections: true}
	client, err := gofish.Connect(config)
	if err != nil {
		return nil, err
	}
	systems, err := client.Service.Systems()
	if err != nil || len(systems) == 0 {
		return nil, fmt.Errorf("no system: %w", err)
	}
	managers, err := client.Service.Managers()
	if err != nil || len(managers) == 0 {
		return nil, fmt.Errorf("no manager: %w", err)
	}
	events := make(chan struct{}, 100)
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, request *http.Request) {
		if request.Method == http.MethodPost {
			events <- struct{}{}
		}
	}))
	return &bmc{client, config, systems[0], managers[0], server.URL, events}, nil
}

func (b *bmc) refresh() error {
	system, err := redfish.GetComputerSystem(b.client, b.system.ODataID)
	if err == nil {
		b.system = system
	}
	return err
}

func (b *bmc) reset(kind redfish.ResetType, state redfish.PowerState) error {
	if err := b.system.Reset(kind); err != nil {
		return err
	}
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(250 * time.Millisecond) {
		if err := b.refresh(); err != nil {
			return err
		}
		if b.system.PowerState == state {
			return nil
		}
	}
	return fmt.Errorf("it is %s after %s", b.system.PowerState, kind)
}

func (b *bmc) power() error {
	if err := b.reset(redfish.ForceOffResetType, redfish.OffPowerState); err != nil {
		return err
	}
	err := b.reset(redfish.OnResetType, redfish.OnPowerState)
	// Some BMCs refuse changes during POST.
	time.Sleep(15 * time.Second)
	return err
}

func (b *bmc) boot() error {
	// The client sends the ETag of what it has read last, and booting has gone on since.
	if err := b.refresh(); err != nil {
		return err
	}
	boot := redfish.Boot{
		BootSourceOverrideTarget:  redfish.PxeBootSourceOverrideTarget,
		BootSourceOverrideEnabled: redfish.OnceBootSourceOverrideEnabled,
	}
	if err := b.system.SetBoot(boot); err != nil {
		return err
	}
	if err := b.refresh(); err != nil {
		return err
	}
	if b.system.Boot.BootSourceOverrideTarget != redfish.PxeBootSourceOverrideTarget {
		return fmt.Errorf("the target is %s", b.system.Boot.BootSourceOverrideTarget)
	}
	return nil
}

func (b *bmc) bios() error {
	bios, err := b.system.Bios()
	if err != nil {
		return err
	}
	if bios == nil {
		return errNotOffered
	}
	var names []string
	for name := range bios.Attributes {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		// The client sends only what differs; what is asked for is refused or taken, but understood.
		if text, ok := bios.Attributes[name].(string); ok && (text == "Enabled" || text == "Disabled") {
			other := map[string]string{"Enabled": "Disabled", "Disabled": "Enabled"}[text]
			return bios.UpdateBiosAttributes(redfish.SettingsAttributes{name: other})
		}
	}
	return errNotOffered
}

func (b *bmc) accounts() error {
	service, err := b.client.Service.AccountService()
	if err != nil {
		return err
	}
	accounts, err := service.Accounts()
	if err != nil {
		return err
	}
	for _, account := range accounts {
		if account.UserName == "" {
			// A BMC with slots has nothing to be created.
			return errNotOffered
		}
	}
	account, err := service.CreateAccount("interop3", "Interop-5678", "Operator")
	if err != nil {
		return err
	}
	config := b.config
	config.Username, config.Password = "interop3", "Interop-5678"
	other, err := gofish.Connect(config)
	if err != nil {
		return fmt.Errorf("the new user cannot log in: %w", err)
	}
	other.Logout()
	response, err := b.client.Delete(account.ODataID)
	if err != nil {
		return err
	}
	return response.Body.Close()
}

func (b *bmc) virtualMedia() error {
	slots, err := b.system.VirtualMedia()
	if err != nil || len(slots) == 0 {
		slots, err = b.manager.VirtualMedia()
	}
	if err != nil || len(slots) == 0 {
		return fmt.Errorf("neither the system nor the manager has virtual media: %w", err)
	}
	slot := slots[0]
	err = slot.InsertMediaConfig(redfish.VirtualMediaConfig{Image: b.files + "/rescue.iso"})
	if err != nil {
		if strings.Contains(err.Error(), "does not support") {
			return errNotOffered
		}
		return err
	}
	slot, err = redfish.GetVirtualMedia(b.client, slot.ODataID)
	if err != nil {
		return err
	}
	if !slot.Inserted {
		return errors.New("it is not inserted")
	}
	return slot.EjectMedia()
}

func (b *bmc) subscription() error {
	service, err := b.client.Service.EventService()
	if err != nil {
		return err
	}
	uri, err := service.CreateEventSubscriptionInstance(b.files, nil, nil, nil, redfish.RedfishEventDestinationProtocol,
		"gofish", "", nil)
	if err != nil {
		return err
	}
	if err := b.reset(redfish.ForceOffResetType, redfish.OffPowerState); err != nil {
		return err
	}
	select {
	case <-b.events:
	case <-time.After(30 * time.Second):
		return errors.New("no event has arrived")
	}
	return service.DeleteEventSubscription(uri)
}

func main() {
	if len(os.Args) != 4 {
		fmt.Fprintln(os.Stderr, "usage: gofish-interop URL USER PASSWORD")
		os.Exit(2)
	}
	b, err := connect(os.Args[1], os.Args[2], os.Args[3])
	if err != nil {
		fmt.Println("FAIL connect", err)
		fmt.Println("Summary - PASS: 0, WARN: 0, FAIL: 1, NOT_TESTED: 0")
		os.Exit(1)
	}
	steps := []struct {
		name string
		run  func() error
	}{
		{"power", b.power},
		{"boot", b.boot},
		{"bios", b.bios},
		{"accounts", b.accounts},
		{"virtual_media", b.virtualMedia},
		{"events", b.subscription},
	}
	pass, fail, notTested := 0, 0, 0
	for _, step := range steps {
		err := step.run()
		var refused *common.Error
		switch {
		case err == nil:
			pass++
			fmt.Println("PASS", step.name)
		case errors.Is(err, errNotOffered),
			errors.As(err, &refused) && refused.HTTPReturnedStatusCode == http.StatusPreconditionRequired:
			notTested++
			fmt.Println("NOT_TESTED", step.name, err)
		default:
			fail++
			fmt.Println("FAIL", step.name, err)
		}
	}
	b.client.Logout()
	fmt.Printf("Summary - PASS: %d, WARN: 0, FAIL: %d, NOT_TESTED: %d\n", pass, fail, notTested)
	if fail > 0 {
		os.Exit(1)
	}
}
