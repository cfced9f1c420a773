package driver

import "reflect"

// Plain follows pointers, strips names off types, and makes any list one of any: kwargs come
// from YAML and from Go. A nil pointer is nil.
func Plain(v any) any {
	r := reflect.ValueOf(v)
	for r.Kind() == reflect.Pointer || r.Kind() == reflect.Interface {
		r = r.Elem()
	}
	switch r.Kind() {
	case reflect.Invalid:
		return nil
	case reflect.Bool:
		return r.Bool()
	case reflect.String:
		return r.String()
	case reflect.Slice:
		list := make([]any, r.Len())
		for i := range list {
			list[i] = r.Index(i).Interface()
		}
		return list
	default:
		return r.Interface()
	}
}
