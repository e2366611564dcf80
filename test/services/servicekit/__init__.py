"""Installs and runs real services for tests: no container engine, loopback only.

Programs come from package registries through their ordinary clients (apt, mvn,
go) into a cache folder; data, logs and process ids are in a state folder.

config   folders, versions and limits, all from the environment
process  process identity, signals to a whole process tree, commands with retries
state    what a state folder records: nodes and ports; spawn and stop
probe    waiting until a service answers
install  one installation at a time: apt, maven, gotool build on it
redis, postgres, kafka, streams, objects, metrics, faults   the services
catalog  the table of all services
cli      the verbs
"""
