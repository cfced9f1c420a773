package replica

// ModelField returns the model that a body names, and whether it names one.
func ModelField(contentType, body string) (string, bool) {
	name, bad := modelField(contentType, []byte(body))
	return name, bad == nil
}

// Rename calls the model of a body id.
func Rename(contentType, body, id string) string {
	return string(rename(contentType, []byte(body), id))
}
