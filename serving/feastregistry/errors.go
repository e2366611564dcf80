package feastregistry

import (
	"encoding/json"
	"fmt"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"sluice/feature"
)

// exception returns the status whose text Feast's clients raise as an error of theirs.
func exception(code codes.Code, class, format string, args ...any) error {
	text, err := json.Marshal(map[string]string{"module": "feast.errors", "class": class, "message": fmt.Sprintf(format, args...)})
	if err != nil {
		return status.Errorf(codes.Internal, "encode an error: %v", err)
	}
	return status.Error(code, string(text))
}

// Classes of feast.errors.
const (
	noProject  = "ProjectObjectNotFoundException"
	noEntity   = "EntityNotFoundException"
	noView     = "FeatureViewNotFoundException"
	noOnDemand = "OnDemandFeatureViewNotFoundException"
	noService  = "FeatureServiceNotFoundException"
	noSource   = "DataSourceObjectNotFoundException"
	noDataset  = "SavedDatasetNotFound"
	noCheck    = "ValidationReferenceNotFound"
	noRight    = "PermissionObjectNotFoundException"
)

// absent says that there is no object of that name, and which it may have been.
func (s *Server) absent(class, what, name, project string, known []string) error {
	if here := s.current().Projects[0].Spec.Name; project != here {
		return exception(codes.NotFound, class, "%s %.64q does not exist: there is no project %.64q, the project is %s", what, name, project, here)
	}
	hint := ""
	if near := feature.Nearest(name, known); near != "" {
		hint = fmt.Sprintf(" (did you mean %s?)", near)
	}
	return exception(codes.NotFound, class, "%s %.64q does not exist in project %s%s", what, name, project, hint)
}

// readOnly refuses a change.
func readOnly() error {
	return exception(codes.FailedPrecondition, "ReadOnlyRegistryException",
		"this registry is read from Sluice's definitions: change those, and run `sluice apply -f DIR`; `sluice import feast` makes them of a registry file")
}
