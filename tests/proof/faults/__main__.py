"""Judge every fault and print who finds what, fault by fault; --write also keeps it as the record."""

import sys
import time

from proof.faults import FAULTS
from proof.faults.judging import JUDGES, judged
from proof.faults.table import line, markdown, write

record = {}
seconds = {}
for name, fault in FAULTS.items():
    began = time.process_time()
    judgement = judged(fault)
    seconds[name] = time.process_time() - began
    kept = record[name] = line(judgement)
    marks = ["found" if j in kept["found"] else "alarm" if j in kept["alarms"] else "-" for j in JUDGES]
    print(f"{name:64}{kept['verdict']:11}" + "".join(f"{mark:6}" for mark in marks), flush=True)
print(f"\n{len(FAULTS)} faults, {sum(seconds.values()):.0f} s of CPU, the longest {max(seconds, key=seconds.get)}\n")
print(markdown(record))
if "--write" in sys.argv[1:]:
    write(record)
