"""A private Docker Engine for one checkout, and stand-ins for upstream images that can't be pulled.

Nothing of the machine's is installed or changed: programs are unpacked under `.isol8/`, and what runs, runs
under names, addresses and rules of its own, all of which `down` takes away again.

    updown      up and down: the order of things
    progress    what is done meanwhile, and how many bytes have come
    places      which folder, socket and name belong to a checkout
    machine     what the machine must have; its certificates and proxies
    tools       programs of the machine and programs unpacked for it
    debian      Debian's packages, downloaded by apt into private folders
    processes   daemons that outlive us, and how they are found and ended
    network     the bridge, its subnet, forwarding
    firewall    the rules of one engine, and how to leave no trace of them
    shared      what to put back on the machine when the last engine is gone
    engine      containerd and dockerd
    images      what the engine holds and pulls, and the mirrors that it is given
    standins    stand-ins for the upstream images, from packages of PyPI, npm and Debian:
                pins, downloads, archives, qcow2, alpine, apk, packages, libraries, golang, image
"""

from lab.updown import down, up

__all__ = ["down", "up"]
