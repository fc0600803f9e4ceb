/* A-1 for C-2. "That is A-1: unaware does not scan at all" */
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
token: explore entry.locked-scan lifetime=unaware
passed-in: entries_next
references: 2
rests: 1
other-token: explore entry.locked-scan lifetime=unaware
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
era-5.18: BROKEN I2
era-6.1: BROKEN I2
era-6.15: safe
era-7.3: BROKEN I2
