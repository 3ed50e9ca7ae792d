"""The inference server behind `ppcls serve`, on KServe's Python server.

KServe brings the protocols: Open Inference Protocol v2 over REST and gRPC, and its own v1 over REST. Here is what it
lacks:

    options      what the command line sets
    batching     a bounded queue, and batches made of what waits in it
    engines      the processes that run Paddle, replaced when they die
    models       a bundle with its preprocessing, queue and engine; loading, unloading, reloading
    payloads     pictures and tensors of a request, and the answer, in the protocols' forms
    protocols    KServe's classes, filled with the above
    refusals     why a request is refused, with the codes of both protocols
    bodies       bodies of HTTP requests: their size, the time they take, disconnects
    security     bearer token, TLS, and who may change models
    metrics, logs, page
    http, grpc   the two listeners
    server       all of it together, from start to SIGTERM
"""
