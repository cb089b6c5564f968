"""The composition root: builds the rooms, wires them with callables, starts, supervises and stops them.

Nothing is imported here: a command that only looks at USB does not wait for the web server's modules.

=============  =====================================================================
daemon         :class:`~oesd.service.daemon.Service`, one running daemon
measuring      its measuring half: bench, schedule, and who is told what
runs, orders   which run is on: the standing order, and orders from outside before it
status, notes  what an operator is told; advice: what to do about each reason of the ledger
bench          real spectrometers and the light before them; simulation: virtual ones
door           what listens: API, page, events
watching       named traces, alarms, endpoint rules as spectra come; watch_desk: what is asked of them
forwarding     the forwarder's thread; keyless: what stands there while there is no key
hub            the OES API server with its own store and analysis
access         how a command reaches a running daemon, or the store when none runs
single         one capture without a daemon
checks         what can be told before anything is started
unhurried      a start that was refused waits ever longer before it is tried again
=============  =====================================================================
"""
