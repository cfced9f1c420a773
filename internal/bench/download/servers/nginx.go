//go:build linux

package servers

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"text/template"

	"github.com/spinup-llm/spinup/internal/bench/download/dataset"
)

// Nginx serves a set as an anonymous bucket: objects natively, the listing as one static
// answer, and the checksum of a whole object where it is asked for, as S3 does. With tls it
// has a certificate of its own authority. dir is for its files.
func Nginx(ctx context.Context, program, dir string, set *dataset.Set, tls bool) (*Server, error) {
	s, err := newServer("nginx", dir, tls)
	if err != nil {
		return nil, err
	}
	s.Anonymous = true
	conf := nginxConf{Dir: dir, Data: set.Dir, Bucket: Bucket, Set: set, TLS: tls}
	if tls {
		conf.Log = s.logs(dir)
	}
	if err = os.WriteFile(filepath.Join(dir, "list.xml"), list(set), 0o644); err != nil { //nolint:gosec // workers read it
		return nil, err
	}
	if err := s.nginx(ctx, program, &conf); err != nil {
		return nil, err
	}
	s.url = s.scheme() + s.Ports[0].Addr
	return s, nil
}

// nginx writes the configuration and starts the program at one more port of s.
func (s *Server) nginx(ctx context.Context, program string, conf *nginxConf) error {
	addr, err := freeAddr(ctx)
	if err != nil {
		return err
	}
	conf.Addr, conf.Socket = addr, filepath.Join(conf.Dir, "nginx.sock")
	s.Ports = append(s.Ports, Port{Addr: addr, Socket: conf.Socket})
	var text bytes.Buffer
	if err := nginxTemplate.Execute(&text, conf); err != nil {
		return err
	}
	path := filepath.Join(conf.Dir, "nginx.conf")
	if err := os.WriteFile(path, text.Bytes(), 0o600); err != nil {
		return err
	}
	return s.start(exec.CommandContext(ctx, program, "-c", path, "-p", conf.Dir)) //nolint:gosec // the peer's path
}

type nginxConf struct {
	Dir, Data, Addr, Socket, Bucket string

	Set *dataset.Set // nil where the files are those of a hub's CDN
	TLS bool
	Log string // "" for none
}

// Checksum is the value of x-amz-checksum-crc64nvme.
func (nginxConf) Checksum(crc uint64) string {
	return base64.StdEncoding.EncodeToString(binary.BigEndian.AppendUint64(nil, crc))
}

var nginxTemplate = template.Must(template.New("").Parse(`daemon off;
worker_processes auto;
user root;
pid {{.Dir}}/nginx.pid;
error_log stderr warn;
events { worker_connections 4096; }
http {
  access_log {{or .Log "off"}};
  sendfile on;
  tcp_nopush on;
  keepalive_requests 1000000;
  default_type application/octet-stream;
  client_body_temp_path {{.Dir}}/tmp;
  proxy_temp_path {{.Dir}}/tmp;
  fastcgi_temp_path {{.Dir}}/tmp;
  scgi_temp_path {{.Dir}}/tmp;
  uwsgi_temp_path {{.Dir}}/tmp;
{{- if .Set}}
  map_hash_max_size 65536;
  map_hash_bucket_size 256;
  map "$http_range:$http_x_amz_checksum_mode:$uri" $crc {
{{- range .Set.Files}}
    ":ENABLED:/{{$.Bucket}}/{{$.Set.Name}}/{{.Path}}" "{{$.Checksum .CRC}}";
{{- end}}
  }
  map $crc $kind { "" ""; default FULL_OBJECT; }
{{- end}}
  server {
    listen {{.Addr}}{{if .TLS}} ssl{{end}};
    listen unix:{{.Socket}}{{if .TLS}} ssl{{end}};
{{- if .TLS}}
    ssl_certificate {{.Dir}}/public.crt;
    ssl_certificate_key {{.Dir}}/private.key;
    ssl_protocols TLSv1.2 TLSv1.3;
{{- end}}
{{- if .Set}}
    location = /{{.Bucket}} { default_type application/xml; alias {{.Dir}}/list.xml; }
    location = /{{.Bucket}}/ { default_type application/xml; alias {{.Dir}}/list.xml; }
    location /{{.Bucket}}/{{.Set.Name}}/ {
      add_header x-amz-checksum-crc64nvme $crc;
      add_header x-amz-checksum-type $kind;
      alias {{.Data}}/;
    }
{{- else}}
    location ~ "^/xet-bridge/[^/]+/([0-9a-f]{64})$" { alias {{.Data}}/$1; }
{{- end}}
  }
}
`))

// list is the answer to ListObjectsV2 of the whole bucket, with the ETags that nginx gives.
func list(set *dataset.Set) []byte {
	var b strings.Builder
	fmt.Fprintf(&b, `<?xml version="1.0" encoding="UTF-8"?>
<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>%s</Name><Prefix></Prefix>`+
		`<KeyCount>%d</KeyCount><MaxKeys>100000</MaxKeys><IsTruncated>false</IsTruncated>`, Bucket, len(set.Files))
	for _, f := range set.Files {
		info, err := os.Stat(filepath.Join(set.Dir, filepath.FromSlash(f.Path)))
		if err != nil {
			continue // the check of the result will tell
		}
		at := info.ModTime().UTC()
		fmt.Fprintf(&b, `<Contents><Key>%s/%s</Key><LastModified>%s</LastModified><ETag>&quot;%x-%x&quot;</ETag>`+
			`<ChecksumAlgorithm>CRC64NVME</ChecksumAlgorithm><ChecksumType>FULL_OBJECT</ChecksumType>`+
			`<Size>%d</Size><StorageClass>STANDARD</StorageClass></Contents>`,
			set.Name, f.Path, at.Format("2006-01-02T15:04:05.000Z"), at.Unix(), f.Size, f.Size)
	}
	b.WriteString("</ListBucketResult>\n")
	return []byte(b.String())
}
