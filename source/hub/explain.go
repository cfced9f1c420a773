package hub

import (
	"context"
	"crypto/tls"
	"errors"

	"github.com/spinup-llm/spinup/internal/nearest"
	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/spinup-llm/spinup/source"
)

// listError makes of a failure an error that tells what to do, and which names are near.
func (r *repo) listError(ctx context.Context, err error) error {
	e := r.explain(ctx, opResolve, r.loc.String(), err)
	if own, ok := errors.AsType[*lifecycle.Error](e); ok && own.Kind == lifecycle.NotFound {
		if near := r.near(ctx, err); near != "" {
			own.Hint = near + "; " + own.Hint
		}
	}
	if own, ok := errors.AsType[*lifecycle.Error](e); ok && own.Kind == lifecycle.Unavailable {
		if sha := r.cachedCommit(r.loc.revision); sha != "" && readKept(r.dir(), sha) != nil {
			own.Hint += "; the cache has it as of commit " + sha[:8] + ", which HF_HUB_OFFLINE=1 uses"
		}
	}
	return e
}

func (r *repo) readError(ctx context.Context, f source.File, err error) error {
	return r.explain(ctx, opRead, r.loc.canonical()+"/"+f.Path, err)
}

func (r *repo) explain(ctx context.Context, op, target string, err error) error {
	if ended := lifecycle.FromContext(ctx, op, target); ended != nil {
		return ended
	}
	if _, ok := errors.AsType[*lifecycle.Error](err); ok {
		return err
	}
	e := &lifecycle.Error{Op: op, Target: target, Kind: lifecycle.Unavailable, Err: r.cause(err)}
	no, refused := errors.AsType[*refusal](err)
	switch {
	case errors.Is(err, errChanged):
		e.Kind, e.Hint = lifecycle.Corrupt, "it changed since it was listed: start again"
	case refused:
		e.Kind = no.kind(op == opRead)
		e.Hint = r.hint(e.Kind, no)
		return source.WithRetryAfter(e, no.wait)
	default:
		e.Hint = r.networkHint(err)
	}
	return e
}

// cause keeps an error of the network, and of an answer its text, without the token.
func (r *repo) cause(err error) error {
	if text := r.set.token.redact(err.Error()); text != err.Error() {
		return errors.New(text)
	}
	if no, ok := errors.AsType[*refusal](err); ok {
		return errors.New(no.Error())
	}
	return err
}

func (r *repo) networkHint(err error) string {
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return "let SSL_CERT_FILE name a file with the authority of the server's certificate"
	}
	return "check the network, the proxy, and HF_ENDPOINT (" + r.set.endpoint.String() + ")"
}

func (r *repo) hint(kind lifecycle.Kind, no *refusal) string {
	model := r.set.page(r.loc.id)
	switch kind {
	case lifecycle.Gated:
		if r.set.token.from == "" {
			return "accept the licence at " + model + ", then set HF_TOKEN; a token was looked for in " + r.set.token.places()
		}
		return "accept the licence at " + model + " with the account of the token from " + r.set.token.from + ", or set HF_TOKEN to one that may read it"
	case lifecycle.Unauthenticated:
		return "set HF_TOKEN to a valid token, see " + r.set.page("settings/tokens") + "; a token was looked for in " + r.set.token.places()
	case lifecycle.AccessDenied:
		if no.disabled() {
			return "the hub has disabled this model, see " + model + ": choose another one"
		}
		if r.set.token.from == "" {
			return "set HF_TOKEN to a token that may read " + model + "; a token was looked for in " + r.set.token.places()
		}
		return "give the token from " + r.set.token.from + " permission to read " + model
	case lifecycle.NotFound:
		return r.absentHint(no)
	case lifecycle.MissingFile:
		return "it was there when the model was listed: start again"
	case lifecycle.Corrupt:
		return "it changed since it was listed: start again"
	case lifecycle.Throttled:
		if r.set.token.from == "" {
			return "the hub asks to slow down: try again later, or set HF_TOKEN for a higher limit"
		}
		return "the hub asks to slow down: try again later"
	case lifecycle.Invalid:
		return form
	default:
		return r.networkHint(nil)
	}
}

func (r *repo) absentHint(no *refusal) string {
	switch {
	case no.code == codeNoRevision:
		return "check the revision, see " + r.set.page(r.loc.id+"/branches") + "; " + form
	case r.set.token.from == "":
		return "check the name, or set HF_TOKEN if the model is private; " + form
	default:
		return "check the name, and whether the token from " + r.set.token.from + " may see it; " + form
	}
}

// near words which models or revisions have similar names, or "".
func (r *repo) near(ctx context.Context, err error) string {
	no, ok := errors.AsType[*refusal](err)
	if !ok {
		return ""
	}
	if no.code == codeNoRevision {
		return nearest.Hint(r.loc.revision, r.revisions(ctx))
	}
	names := r.siblings(ctx)
	if len(nearest.Of(r.loc.id, names, 1)) == 0 {
		return "" // what else there is would be a list without end
	}
	return nearest.Hint(r.loc.id, names)
}
