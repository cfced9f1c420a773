package azure

import (
	"errors"
	"strings"
)

// emulator is what "UseDevelopmentStorage=true" stands for: the account, the key and the
// address that every emulator of Azure Storage has.
const emulator = "AccountName=devstoreaccount1;BlobEndpoint=http://127.0.0.1:10000/devstoreaccount1;" +
	"AccountKey=Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="

// A connection is what a connection string says.
type connection struct {
	set      bool
	account  string
	key      string
	sas      string
	endpoint string // "" means the account's own
	suffix   string // of a cloud, or ""
}

// parseConnection reads Key=Value pairs that semicolons part. Its errors do not repeat them.
func parseConnection(text string) (connection, error) {
	if strings.TrimSpace(text) == "" {
		return connection{}, nil
	}
	c := connection{set: true}
	for pair := range strings.SplitSeq(text, ";") {
		if strings.TrimSpace(pair) == "" {
			continue
		}
		key, value, ok := strings.Cut(pair, "=")
		if !ok {
			return connection{}, errors.New("the connection string has a part without =")
		}
		value = strings.TrimSpace(value)
		switch strings.ToLower(strings.TrimSpace(key)) {
		case "accountname":
			c.account = value
		case "accountkey":
			c.key = value
		case "sharedaccesssignature":
			c.sas = value
		case "blobendpoint":
			c.endpoint = value
		case "endpointsuffix":
			c.suffix = value
		case "usedevelopmentstorage":
			if strings.EqualFold(value, "true") {
				return parseConnection(emulator)
			}
		}
	}
	switch {
	case c.account == "" && c.endpoint == "":
		return connection{}, errors.New("the connection string names no account")
	case c.account != "" && !accountName.MatchString(c.account):
		return connection{}, errors.New("the connection string names no account that can be")
	case c.key == "" && c.sas == "":
		return connection{}, errors.New("the connection string has neither a key nor a SAS")
	case c.suffix != "" && !hostName.MatchString("acc.blob."+c.suffix):
		return connection{}, errors.New("the connection string names a cloud that is not Microsoft's")
	}
	return c, nil
}
