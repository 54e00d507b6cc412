// Speaks the Kubernetes container runtime interface as a kubelet does, for the two calls the client matrix needs.
//
//	cri SOCKET pull IMAGE     pulls and prints the image reference
//	cri SOCKET remove IMAGE   removes it, so that the next pull asks the registry again
package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	runtime "k8s.io/cri-api/pkg/apis/runtime/v1"
)

func run(socket, verb, image string) error {
	connection, err := grpc.NewClient("unix://"+socket, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return err
	}
	defer connection.Close()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	images := runtime.NewImageServiceClient(connection)
	spec := &runtime.ImageSpec{Image: image}
	switch verb {
	case "pull":
		answer, err := images.PullImage(ctx, &runtime.PullImageRequest{Image: spec})
		if err != nil {
			return err
		}
		fmt.Println(answer.ImageRef)
		return nil
	case "remove":
		_, err := images.RemoveImage(ctx, &runtime.RemoveImageRequest{Image: spec})
		return err
	}
	return fmt.Errorf("unknown verb %q", verb)
}

func main() {
	if len(os.Args) != 4 {
		fmt.Fprintln(os.Stderr, "usage: cri SOCKET pull|remove IMAGE")
		os.Exit(2)
	}
	if err := run(os.Args[1], os.Args[2], os.Args[3]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
