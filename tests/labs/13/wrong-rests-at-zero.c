/* "The name of the design says what the record of a page counts"; hidden "hidden-era" */
/* REGION answers */
verdict: BROKEN I1
scan-step: 4
unlock-step: 5
second-owner-step: 7
unaware: BROKEN I1
lease-poll: safe
idle-at-one: BROKEN I1
zap-to-zero: BROKEN I1
counted-map: safe
refuse-busy: safe
busy-extent: safe
token: explore entry.locked-scan lifetime=idle-at-one
passed-in: entries_next
references: 1
rests: 0
other-token: explore entry.locked-scan lifetime=zap-to-zero
cure: counted-map
sleeps-for: a locked index entry
refused-with: ENOSPC
not-mapped: C-1
never-locked: safe
evicted-lease-poll: safe
evicted-idle-at-one: BROKEN I1
evicted-zap-to-zero: safe
evicted-counted-map: safe
evicted-busy-extent: safe
need-lease-poll: safe
need-idle-at-one: BROKEN I1
need-zap-to-zero: HUNG I4
need-counted-map: HUNG I4
need-busy-extent: safe
era-4.17: BROKEN I1
era-5.18: BROKEN I1
era-6.1: BROKEN I1
era-6.15: BROKEN I1
era-7.3: BROKEN I1
