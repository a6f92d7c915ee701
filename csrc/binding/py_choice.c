/* choice: priors and likelihoods of choices. */
#include "py.h"

#include "choice.h"

static const char *const trials_fields[] = {"session", "choice", "side", "previous", "biased", "contrast", NULL};

/* Trials from the form of hrnn.choice's Choices. 0 on success. */
static int trials_of(struct py_arrays *arrays, PyObject *tuple, struct hrnn_choice_trials *trials)
{
    npy_intp n = -1;
    PyObject **field = py_fields(arrays, "trials", tuple, PY_N_FIELDS(trials_fields));
    if (!field)
        return -1;
    trials->session = py_input(arrays, field[0], "session", NPY_INT64, 1, &n);
    trials->choice = py_input(arrays, field[1], "choice", NPY_INT8, 1, &n);
    trials->side = py_input(arrays, field[2], "side", NPY_INT8, 1, &n);
    trials->previous = py_input(arrays, field[3], "previous", NPY_INT8, 1, &n);
    trials->biased = py_input(arrays, field[4], "biased", NPY_INT8, 1, &n);
    trials->contrast = py_input(arrays, field[5], "contrast", NPY_DOUBLE, 1, &n);
    trials->n = (size_t)n;
    return arrays->failed ? -1 : 0;
}

static const char *const decision_fields[] = {
    "sigma", "zeta_left", "zeta_right", "lapse_left", "lapse_right", "repetition",
    "bias",  "one_zeta",  "one_lapse",  "repeats",    "leans",       NULL,
};

/* A decision stage from the form that hrnn.choice's models make. 0 on success. */
static int decision_of(struct py_arrays *arrays, PyObject *tuple, struct hrnn_choice_decision *d)
{
    double *numbers[] = {&d->sigma, d->zeta, d->zeta + 1, d->lapse, d->lapse + 1, &d->repetition, &d->bias};
    int *flags[] = {&d->one_zeta, &d->one_lapse, &d->repeats, &d->leans};
    PyObject **field = py_fields(arrays, "decision", tuple, PY_N_FIELDS(decision_fields));
    if (!field)
        return -1;
    for (size_t i = 0; i < 7; i++)
        *numbers[i] = py_real(arrays, decision_fields[i], field[i]);
    for (size_t i = 0; i < 4; i++)
        *flags[i] = (int)py_whole(arrays, decision_fields[7 + i], field[7 + i], 0, 1);
    if (arrays->failed)
        return -1;
    if (!(d->sigma > 0 && d->zeta[0] > 0 && d->zeta[1] > 0)) {
        PyErr_SetString(PyExc_ValueError, "sigma and zeta must be > 0");
        return py_fail(arrays);
    }
    return 0;
}

static PyObject *choice_prior(PyObject *Py_UNUSED(module), PyObject *args)
{
    PyObject *model_, *trials_, *shift_, *parameters_, *prior_, *dprior_;
    struct py_arrays arrays = {0};
    struct hrnn_choice_trials trials;
    if (!PyArg_ParseTuple(args, "OOOOOO:choice_prior", &model_, &trials_, &shift_, &parameters_, &prior_, &dprior_))
        return NULL;
    Py_ssize_t model = py_whole(&arrays, "model", model_, 0, HRNN_CHOICE_PRIOR_COUNT - 1);
    int shift = (int)py_whole(&arrays, "shift", shift_, 0, 1);
    if (trials_of(&arrays, trials_, &trials))
        return NULL;
    npy_intp k = (npy_intp)hrnn_choice_prior_parameters((enum hrnn_choice_prior)model), n = (npy_intp)trials.n;
    npy_intp shape[2] = {k, n};
    const double *parameters = py_input(&arrays, parameters_, "parameters", NPY_DOUBLE, 1, &k);
    double *prior = py_output(&arrays, prior_, "prior", NPY_DOUBLE, 1, &n);
    double *dprior = py_output(&arrays, dprior_, "dprior", NPY_DOUBLE, 2, shape);
    if (py_begin(&arrays))
        return NULL;
    Py_BEGIN_ALLOW_THREADS
    hrnn_choice_prior((enum hrnn_choice_prior)model, &trials, shift, parameters, prior, dprior);
    Py_END_ALLOW_THREADS
    py_end(&arrays);
    Py_RETURN_NONE;
}

static PyObject *choice_scratch(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(args))
{
    return PyLong_FromSize_t(hrnn_choice_scratch());
}

static PyObject *choice_likelihood(PyObject *module, PyObject *args)
{
    PyObject *trials_, *decision_, *prior_, *dprior_, *gradient_, *outer_, *log_p_, *scratch_;
    struct py_arrays arrays = {0};
    struct hrnn_choice_trials trials;
    struct hrnn_choice_decision decision;
    if (!PyArg_ParseTuple(args, "OOOOOOOO:choice_likelihood", &trials_, &decision_, &prior_, &dprior_, &gradient_,
                          &outer_, &log_p_, &scratch_) ||
        trials_of(&arrays, trials_, &trials) || decision_of(&arrays, decision_, &decision))
        return NULL;
    npy_intp n = (npy_intp)trials.n, shape[2] = {-1, n}, n_scratch = (npy_intp)hrnn_choice_scratch();
    const double *prior = py_input(&arrays, prior_, "prior", NPY_DOUBLE, 1, &n);
    const double *dprior = py_input(&arrays, dprior_, "dprior", NPY_DOUBLE, 2, shape);
    py_within(&arrays, "dprior.shape[0]", shape[0], 0, HRNN_CHOICE_PRIOR_PARAMETERS_MAX);
    npy_intp k = (npy_intp)hrnn_choice_decision_parameters(&decision) + shape[0], square[2] = {k, k};
    double *gradient = py_output(&arrays, gradient_, "gradient", NPY_DOUBLE, 1, &k);
    double *outer = py_output(&arrays, outer_, "outer", NPY_DOUBLE, 2, square);
    double *log_p = log_p_ == Py_None ? NULL : py_output(&arrays, log_p_, "log_p", NPY_DOUBLE, 1, &n);
    double *scratch = py_output(&arrays, scratch_, "scratch", NPY_DOUBLE, 1, &n_scratch);
    if (py_begin(&arrays))
        return NULL;
    double log_likelihood;
    enum hrnn_status status;
    Py_BEGIN_ALLOW_THREADS
    status = hrnn_choice_likelihood(&py_state(module)->kernel, &trials, &decision, prior, (size_t)shape[0], dprior,
                                    &log_likelihood, gradient, outer, log_p, scratch);
    Py_END_ALLOW_THREADS
    py_end(&arrays);
    return py_raise(py_state(module), status) ? NULL : PyFloat_FromDouble(log_likelihood);
}

static PyObject *choice_p_right(PyObject *module, PyObject *args)
{
    PyObject *trials_, *decision_, *prior_, *p_right_, *scratch_;
    struct py_arrays arrays = {0};
    struct hrnn_choice_trials trials;
    struct hrnn_choice_decision decision;
    if (!PyArg_ParseTuple(args, "OOOOO:choice_p_right", &trials_, &decision_, &prior_, &p_right_, &scratch_) ||
        trials_of(&arrays, trials_, &trials) || decision_of(&arrays, decision_, &decision))
        return NULL;
    npy_intp n = (npy_intp)trials.n, n_scratch = (npy_intp)hrnn_choice_scratch();
    const double *prior = py_input(&arrays, prior_, "prior", NPY_DOUBLE, 1, &n);
    double *p_right = py_output(&arrays, p_right_, "p_right", NPY_DOUBLE, 1, &n);
    double *scratch = py_output(&arrays, scratch_, "scratch", NPY_DOUBLE, 1, &n_scratch);
    if (py_begin(&arrays))
        return NULL;
    Py_BEGIN_ALLOW_THREADS
    hrnn_choice_p_right(&py_state(module)->kernel, &trials, &decision, prior, p_right, scratch);
    Py_END_ALLOW_THREADS
    py_end(&arrays);
    Py_RETURN_NONE;
}

static const char *prior_name(int model) { return hrnn_choice_prior_name((enum hrnn_choice_prior)model); }

int py_choice_constants(PyObject *module)
{
    if (py_add_fields(module, "CHOICE_TRIALS_FIELDS", trials_fields) ||
        py_add_fields(module, "CHOICE_DECISION_FIELDS", decision_fields))
        return -1;
    return py_add_enum(module, "CHOICE_PRIORS", HRNN_CHOICE_PRIOR_COUNT, prior_name);
}

PyMethodDef py_choice_methods[] = {
    {"choice_prior", choice_prior, METH_VARARGS, "choice_prior(model, trials, shift, parameters, prior, dprior)."},
    {"choice_scratch", choice_scratch, METH_NOARGS, "choice_scratch(): doubles of scratch for likelihood and p_right."},
    {"choice_likelihood", choice_likelihood, METH_VARARGS,
     "choice_likelihood(trials, decision, prior, dprior, gradient, outer, log_p or None, scratch): "
     "the log likelihood."},
    {"choice_p_right", choice_p_right, METH_VARARGS, "choice_p_right(trials, decision, prior, p_right, scratch)."},
    {NULL, NULL, 0, NULL},
};
