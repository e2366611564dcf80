// Package wireform takes serialized requests apart without decoding them: those of
// GetOnlineFeatures and GetFeatures, the join keys in them and the values for computed
// features.
//
// What it reads shares the memory of the request. It reads what client libraries write; what
// else the protobuf runtime accepts is ErrUnusual, and Usual has the runtime write it the way
// they do. Both ways give the same: fuzz tests hold the readers against the runtime. Codec
// passes requests and replies that are bytes through a grpc.Server. Replies are written where
// answers are, in package serving.
//
// All functions are pure and safe for concurrent use; a Request and a RawRequest are of one
// goroutine. Package wireform imports feature, api, serving/refusal and serving/jsonform.
package wireform
