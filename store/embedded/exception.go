package embedded

import (
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strconv"

	"github.com/ClickHouse/ch-go/proto"
)

// exception is an error in ClickHouse's own terms.
type exception struct {
	code proto.Error
	text string // "Code: 60. DB::Exception: … (UNKNOWN_TABLE)"
}

func (e *exception) Error() string { return e.text }

var exceptionCode = regexp.MustCompile(`^Code: (\d+)\.`)

// newException takes the engine's own message.
func newException(text string) *exception {
	if m := exceptionCode.FindStringSubmatch(text); m != nil {
		if code, err := strconv.Atoi(m[1]); err == nil && code > 0 {
			return &exception{code: proto.Error(code), text: text}
		}
	}
	return refuse(proto.ErrStdException, "%s", text)
}

// refuse makes an exception of our own that reads like the engine's.
func refuse(code proto.Error, format string, args ...any) *exception {
	return &exception{code: code, text: fmt.Sprintf("Code: %d. DB::Exception: %s. (%s)", int(code), fmt.Sprintf(format, args...), code.String())}
}

// asException gives any error a code.
func asException(err error) *exception {
	if e, ok := errors.AsType[*exception](err); ok {
		return e
	}
	return newException(err.Error())
}

// status is the HTTP status a server answers with for the exception.
func (e *exception) status() int {
	switch e.code {
	case proto.ErrRequiredPassword:
		return http.StatusUnauthorized
	case proto.ErrAuthenticationFailed, proto.ErrUnknownUser, proto.ErrWrongPassword, proto.ErrAccessDenied:
		return http.StatusForbidden
	case proto.ErrCannotParseText, proto.ErrCannotParseQuotedString, proto.ErrCannotParseInputAssertionFailed,
		proto.ErrCannotParseDate, proto.ErrCannotParseDatetime, proto.ErrCannotParseNumber, proto.ErrCannotReadArrayFromText,
		proto.ErrCannotReadAllData, proto.ErrIncorrectData, proto.ErrIllegalTypeOfArgument, proto.ErrTypeMismatch,
		proto.ErrSyntaxError, proto.ErrTooDeepAst, proto.ErrTooLargeArraySize, proto.ErrTooLargeStringSize,
		proto.ErrBadQueryParameter, proto.ErrUnknownCompressionMethod:
		return http.StatusBadRequest
	case proto.ErrNoSuchColumnInTable, proto.ErrUnknownFunction, proto.ErrUnknownIdentifier, proto.ErrUnknownType,
		proto.ErrUnknownTable, proto.ErrUnknownFormat, proto.ErrUnknownDatabase, proto.ErrUnknownSetting:
		return http.StatusNotFound
	case proto.ErrQueryIsTooLarge:
		return http.StatusRequestEntityTooLarge
	case proto.ErrTooManySimultaneousQueries:
		return http.StatusServiceUnavailable
	case proto.ErrTimeoutExceeded:
		return http.StatusRequestTimeout
	case proto.ErrNotImplemented:
		return http.StatusNotImplemented
	}
	return http.StatusInternalServerError
}
