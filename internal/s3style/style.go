// Package s3style says how a bucket is addressed where nobody has said: our own driver and
// the streamer of an engine have to do it in the same way.
package s3style

import (
	"net/url"
	"slices"
	"strings"
)

// byHost are the services that know buckets by host alone, or better so.
var byHost = []string{
	"amazonaws.com", "amazonaws.com.cn", "aliyuncs.com", "myqcloud.com", "volces.com", "cwobject.com", "cwlota.com",
}

// NeedsPath reports whether the bucket stands in the path instead of the host: servers of
// one's own seldom have a wildcard name, and a dot breaks the wildcard of a certificate. An
// endpoint of "" is that of AWS.
func NeedsPath(bucket, endpoint string) bool {
	if strings.Contains(bucket, ".") {
		return true
	}
	u, err := url.Parse(endpoint)
	if endpoint == "" || err != nil {
		return false
	}
	return !slices.ContainsFunc(byHost, func(domain string) bool { return strings.HasSuffix(u.Hostname(), "."+domain) })
}
