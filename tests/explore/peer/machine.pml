/* SPDX-License-Identifier: MIT */
/*
 * The machine that the models of this folder run on: CPUs with store buffers, and spinlocks.
 *
 * A model defines CPUS and WORDS before it includes this. Every word of memory that two processes
 * share is a word of mem[], and a process says in `me` which CPU it runs on. Without TSO a store is
 * there at once (sequential consistency). With TSO it goes into its CPU's buffer, which that CPU
 * alone sees, and drain() takes the oldest one out at any time; a locked instruction and a fence
 * wait until the buffer is empty. That is x86's order, and the explorer's model=tso.
 *
 * DEPTH is no limit of the machine: a store that found the buffer full would be a behaviour left
 * out, so it is an error of the model.
 */
#ifndef DEPTH
#define DEPTH 6
#endif

short mem[WORDS];

#ifdef TSO
typedef one_cpu {
	short newest[WORDS];	/* what this CPU stored last, while that is in its buffer; else 0 */
	byte pending[WORDS];
};
one_cpu cpu[CPUS];
chan buffer[CPUS] = [DEPTH] of { byte, short };

#define FENCED	empty(buffer[me])
#define SEEN(w)	(cpu[me].pending[w] -> cpu[me].newest[w] : mem[w])

inline store(w, value)
{
	d_step {
		assert(nfull(buffer[me]));
		buffer[me]!w,value;
		cpu[me].newest[w] = value;
		cpu[me].pending[w]++
	}
}

/* The oldest store of a CPU reaches memory: whenever it likes. */
proctype drain(byte me)
{
	byte w;
	short v;

end_drained:
	do
	:: atomic {
		buffer[me]?w,v ->
		mem[w] = v;
		cpu[me].pending[w]--;
		if
		:: cpu[me].pending[w] == 0 -> cpu[me].newest[w] = 0
		:: else
		fi;
		w = 0;
		v = 0
	}
	od
}
#define DRAIN(c) run drain(c)
#else
#define FENCED	true
#define SEEN(w)	mem[w]
inline store(w, value) { mem[w] = value }
#define DRAIN(c) skip
#endif

/* smp_mb() */
inline fence() { FENCED }

inline load(w, to) { to = SEEN(w) }

/* __atomic_fetch_add(): one locked instruction. */
inline fetch_add(w, n, old)
{
	atomic { FENCED -> old = mem[w]; mem[w] = mem[w] + n }
}

/* __atomic_compare_exchange_n(), not the weak one: `seen` is what was there, in any case. */
inline compare_exchange(w, seen, next, done)
{
	atomic {
		FENCED ->
		if
		:: mem[w] == seen -> mem[w] = next; done = true
		:: else -> seen = mem[w]; done = false
		fi
	}
}

/* One event, possible while the lock is free, as the explorer has it. The unlock is a plain store. */
inline spin_lock(w) { atomic { FENCED && mem[w] == 0 -> mem[w] = 1 } }
inline spin_unlock(w) { store(w, 0) }
