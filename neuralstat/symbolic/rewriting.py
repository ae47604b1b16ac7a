"""Equivalent forms of real expressions that neither overflow nor cancel where the textbook form does."""

from __future__ import annotations

from collections.abc import Callable

import sympy
from sympy import Add, Expr, Mul, Pow, cosh, exp, log, sinh, tanh

from neuralstat.symbolic import operations as op

_TOO_LARGE_TO_TIDY = 250


def rewrite(expression: Expr) -> Expr:
    """Replace textbook forms from the inside out: log(1 + exp(u)) by softplus(u), and so on."""
    known: dict[Expr, Expr] = {}

    def visit(u: Expr) -> Expr:
        if u.is_Atom or u.is_number:
            return u
        if u not in known:
            known[u] = _one(u.func(*map(visit, u.args)))
        return known[u]

    return visit(expression)


def _one(u: Expr) -> Expr:
    if u.is_number or u.is_Atom:
        return u
    if isinstance(u, sympy.Abs):
        return op.absolute(u.args[0])
    if isinstance(u, op.log1p):
        term = _exp_term(u.args[0])
        return u if term is None or term[1] == 0 else op.softplus(term[1] + log(term[0]))
    rule = {log: _log, Add: _add, Pow: _pow, Mul: _mul}.get(u.func)
    return rule(u) if rule is not None else u


def _exp_term(u: Expr) -> tuple[Expr, Expr] | None:
    """(c, v) of a term c * exp(v) with a number c > 0; v = 0 for a number."""
    coefficient, rest = u.as_coeff_Mul()
    if not coefficient.is_positive:
        return None
    if rest == 1:
        return coefficient, sympy.S.Zero
    return (coefficient, rest.args[0]) if isinstance(rest, exp) else None


def _two_exp_terms(u: Expr) -> tuple[tuple[Expr, Expr], tuple[Expr, Expr]] | None:
    """Terms of c1 exp(v1) + c2 exp(v2), the number (if one is) first."""
    if not u.is_Add or len(u.args) != 2:
        return None
    terms = [_exp_term(a) for a in u.args]
    if terms[0] is None or terms[1] is None:
        return None
    first, second = sorted(((c, v) for c, v in terms), key=lambda t: t[1] != 0)  # type: ignore[misc]
    return first, second


def _log(u: Expr) -> Expr:
    argument = u.args[0]
    terms = _two_exp_terms(argument)
    if terms is not None:
        (c1, v1), (c2, v2) = terms
        if v1 == 0:
            return op.softplus(v2 + log(c2 / c1)) + log(c1)
        return op.logaddexp(v1 + log(c1), v2 + log(c2))
    coefficient, rest = argument.as_coeff_Mul()
    if coefficient.is_positive and isinstance(rest, cosh):
        return op.logcosh(rest.args[0]) + log(coefficient)
    if isinstance(argument, op.expit):
        return -op.softplus(-argument.args[0])
    if argument.is_Add and sympy.S.One in argument.args:
        return op.log1p(argument - 1)
    return u


def _add(u: Expr) -> Expr:
    """exp(v) - 1, 1 - expit(v), 1 +- erf(v), exp(v) +- exp(-v), anywhere in a sum."""
    terms = dict(t.as_coeff_Mul()[::-1] for t in u.args)
    constant = terms.get(sympy.S.One, sympy.S.Zero)
    for rest, c in terms.items():
        if constant == -c and isinstance(rest, exp):
            return _again(u - c * rest - constant + c * op.expm1(rest.args[0]))
        if constant == -c and isinstance(rest, op.expit):
            return _again(u - c * rest - constant - c * op.expit(-rest.args[0]))
        if constant == -c / 2 and isinstance(rest, op.expit):
            return _again(u - c * rest - constant + c * tanh(rest.args[0] / 2) / 2)
        if constant in (c, -c) and isinstance(rest, sympy.erf):
            v = rest.args[0]
            return _again(u - c * rest - constant + constant * op.erfc(v if constant == -c else -v))
        if isinstance(rest, exp):
            mirror = exp(-rest.args[0])
            other = terms.get(mirror)
            if mirror != rest and other in (c, -c):
                v = rest.args[0]
                v, c = (-v, other) if v.could_extract_minus_sign() else (v, c)
                same = terms[exp(-v)] == c
                return _again(
                    u - c * exp(v) - terms[exp(-v)] * exp(-v) + 2 * c * (cosh(v) if same else sinh(v))
                )
    return u


def _again(u: Expr) -> Expr:
    return _one(u)


def _pow(u: Expr) -> Expr:
    """(c1 + c2 exp(v))^-n as a power of the logistic function."""
    terms = _two_exp_terms(u.base)
    if terms is None or not u.exp.is_Integer or not u.exp.is_negative or terms[0][1] != 0:
        return u
    (c1, _), (c2, v) = terms
    return c1**u.exp * op.expit(-v - log(c2 / c1)) ** (-u.exp)


def merge_exponentials(u: Expr) -> Expr:
    """exp(v) exp(w) as exp(v + w), which does not meet 0 * inf."""
    exponents = [factor.args[0] for factor in u.args if isinstance(factor, exp)]
    if len(exponents) < 2:
        return u
    rest = [factor for factor in u.args if not isinstance(factor, exp)]
    return Mul(*rest, exp(Add(*exponents)))


def _mul(u: Expr) -> Expr:
    u = merge_exponentials(u)
    if not u.is_Mul:
        return u
    powers = dict(factor.as_base_exp() for factor in u.args if not isinstance(factor, exp))
    for base, n in powers.items():
        if isinstance(base, sinh) and n.is_Integer and n.is_positive:
            v = base.args[0]
            below = -powers.get(cosh(v), sympy.S.Zero)
            if below.is_Integer and below.is_positive:
                j = min(n, below)
                return _again(u * cosh(v) ** j / sinh(v) ** j * tanh(v) ** j)
        if isinstance(base, op.expm1) and n == 1 and powers.get(op.expit(-base.args[0])) == 1:
            w = base.args[0]
            return _again(u / base / op.expit(-w) * tanh(w / 2))
    for factor in u.args:
        if not isinstance(factor, exp):
            continue
        for base, n in powers.items():
            if not isinstance(base, op.expit) or not (n.is_Integer and n.is_positive):
                continue
            v = base.args[0]
            times = factor.args[0] / v
            if times.is_Integer and times.is_negative:  # exp(-v) expit(v) = expit(-v)
                j = min(-times, n)
                return _again(u / factor / base**j * op.expit(-v) ** j * exp((times + j) * v))
    return u


def variants(expression: Expr) -> list[Expr]:
    """Equivalent forms of a derivative, of which the most accurate is to be chosen."""
    plain = rewrite(expression)
    parts = rewrite(_by_parts(expression))
    found = [plain, parts]
    if parts.count_ops() <= _TOO_LARGE_TO_TIDY:
        found += [_masked(parts, sympy.factor_terms), _masked(parts, _one_fraction)]
    return list(dict.fromkeys(found))


def _by_parts(u: Expr) -> Expr:
    """Local rules for products, from the inside out."""
    if u.is_Atom or u.is_number:
        return u
    u = u.func(*map(_by_parts, u.args))
    return _product(u) if u.is_Mul else u


def _product(u: Expr) -> Expr:
    """sign(v) v = |v|; exp(v) (a + b exp(w)) is multiplied out, as exp(v) = 0 may meet exp(w) = inf."""
    u = merge_exponentials(u)
    if not u.is_Mul:
        return u
    powers = dict(factor.as_base_exp() for factor in u.args if not isinstance(factor, exp))
    for base, n in powers.items():
        if isinstance(base, op.sign) and n == 1:
            v = base.args[0]
            if powers.get(v, sympy.S.Zero).is_Integer and powers.get(v, 0) >= 1:
                return _product_again(u / base / v * op.absolute(v))
            absolute = op.absolute(v)
            if powers.get(absolute, sympy.S.Zero).is_Integer and powers.get(absolute, 0) >= 1:
                return _product_again(u / base / absolute * v)
    exponentials = [factor for factor in u.args if isinstance(factor, exp)]
    for factor in u.args:
        whole = factor.is_Pow and factor.exp.is_Integer and 1 < factor.exp <= 4
        total = factor.base if whole else factor
        if exponentials and total.is_Add and total.has(exp) and any(t.has(exp) for t in total.args):
            terms = sympy.expand_mul(sympy.expand_multinomial(factor)) if whole else factor
            return Add(*(_product_again(u / factor * term) for term in terms.args))
    return u


def _product_again(u: Expr) -> Expr:
    return _product(u) if u.is_Mul else u


def _masked(u: Expr, transform: Callable[[Expr], Expr]) -> Expr:
    """Transform an expression as a rational function, transcendental parts taken as they are."""
    masks: dict[Expr, sympy.Dummy] = {}

    def mask(v: Expr) -> Expr:
        if v.is_Add or v.is_Mul or (v.is_Pow and v.exp.is_Integer):
            return v.func(*map(mask, v.args))
        if v.is_Number or v.is_Symbol:
            return v
        if v.is_Pow and v.exp.is_Rational and v.exp.q == 2 and v.exp.p != 1:
            return mask(sympy.sqrt(v.base)) ** v.exp.p
        return masks.setdefault(v, sympy.Dummy(real=True))

    masked = transform(mask(u))
    return _by_parts(masked.xreplace({dummy: v for v, dummy in masks.items()}))


def _one_fraction(u: Expr) -> Expr:
    if any(p.base.is_Add and p.exp.is_Integer and abs(p.exp) > 8 for p in u.atoms(Pow)):
        return u  # multiplied out it would have too many terms
    numerator, denominator = sympy.fraction(sympy.together(u))
    return u if denominator.is_number else sympy.expand(numerator) / denominator
