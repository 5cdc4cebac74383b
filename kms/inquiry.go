package kms

import (
	"context"
	"errors"
)

// A decision is made inside a transaction, where nothing may be waited for. What takes
// time, such as the answer of an external key store or a new RSA key, is asked for: the
// attempt at the decision ends, the question is put with no transaction open, and the
// request is decided again with the answer at hand.

// inquiry holds the answers that a request has got and the question that it has.
type inquiry struct {
	answers  map[string]answer
	question string
	find     func(context.Context) (any, error)
}

type answer struct {
	value any
	err   error
}

// maxQuestions bounds how many questions one request may have.
const maxQuestions = 8

// errAsked ends an attempt that has a question. It never leaves the pipeline.
var errAsked = errors.New("kms: a question is open")

// ask returns what find finds, which is called once for the request, whatever becomes of
// its attempts. What it finds must depend on the request and the question alone. The
// error is errAsked as long as find has not been called; it has to be returned at once.
func ask[T any](r *request, question string, find func(context.Context) (T, error)) (T, error) {
	var none T
	if a, ok := r.inquiry.answers[question]; ok {
		if a.err != nil {
			return none, a.err
		}
		return a.value.(T), nil
	}
	r.inquiry.question = question
	r.inquiry.find = func(ctx context.Context) (any, error) { return find(ctx) }
	return none, errAsked
}

// keep returns what find finds, which is called once for the request as with ask, but at
// once: it takes no time.
func keep[T any](r *request, what string, find func() T) T {
	if a, ok := r.inquiry.answers[what]; ok {
		return a.value.(T)
	}
	value := find()
	r.inquiry.put(what, answer{value: value})
	return value
}

// ask puts the open question.
func (q *inquiry) ask(ctx context.Context) {
	value, err := q.find(ctx)
	q.put(q.question, answer{value, err})
}

func (q *inquiry) put(question string, a answer) {
	if q.answers == nil {
		q.answers = make(map[string]answer)
	}
	q.answers[question] = a
}
